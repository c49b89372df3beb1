#!/bin/sh
# pod.sh RUN: the first process of a worker's pod. The worker of the demo claims RUN under the pod's name and beats for
# ever; a signal to this process says how it dies:
#   QUIT  it exits with 0        USR1  it exits with 3
#   USR2  it takes more memory than it may have and is killed for it
#   HUP   it hangs: the pod lives on, and nobody beats
# When the worker ends by itself (65: it was fenced) the pod ends with its exit code.
set -u

stop_worker() { kill -9 "$worker" 2>/dev/null; }
exit_with() { stop_worker; exit "$1"; }
hang() {
  stop_worker
  while :; do sleep 3600; done
}
# In place of this process: a pod whose first process survives the death of a child is not dead.
eat() { stop_worker; exec dd if=/dev/zero of=/dev/null bs=1G count=1; }

worker.sh "$1" "$POD_NAME" forever &
worker=$!
trap 'exit_with 0' QUIT
trap 'exit_with 3' USR1
trap 'eat' USR2
trap 'hang' HUP
trap 'exit_with 143' TERM
wait "$worker"
