#!/usr/bin/env bash
# kubectl_script.sh KUBECONFIG: a JobRun's life with plain kubectl, and a pod's, each answer checked; stops at the first that differs.
# The same script passes on a real API server and on the dev server. $KUBECTL names the program (default: kubectl).
set -euo pipefail

kubectl=${KUBECTL:-kubectl}
export KUBECONFIG=${1:?usage: kubectl_script.sh KUBECONFIG}
namespace='kubectl-script'
scratch=$(mktemp -d)
watcher=
# kubectl keeps what it discovers of a server by its address, and ports are used again.
export KUBECACHEDIR=$scratch/cache
trap 'if [[ -n $watcher ]]; then kill "$watcher" 2>/dev/null || true; fi; rm -rf "$scratch"' EXIT

k() { "$kubectl" --namespace "$namespace" "$@"; }

fail() { echo "kubectl_script.sh: $*" >&2; exit 1; }

# expect SENTENCE PATTERN COMMAND…: the command succeeds and its output has a match of the pattern.
expect() {
  local sentence=$1 pattern=$2 output
  shift 2
  output=$("$@" 2>&1) || fail "$sentence: failed: $* : $output"
  grep -qE -- "$pattern" <<<"$output" || fail "$sentence: no match of /$pattern/ in: $output"
  echo "ok: $sentence"
}

# refuse SENTENCE PATTERN COMMAND…: the command fails and its output has a match of the pattern.
refuse() {
  local sentence=$1 pattern=$2 output
  shift 2
  output=$("$@" 2>&1) && fail "$sentence: succeeded: $* : $output"
  grep -qE -- "$pattern" <<<"$output" || fail "$sentence: no match of /$pattern/ in: $output"
  echo "ok: $sentence"
}

# await SENTENCE PATTERN FILE: the pattern appears in a growing file within ten seconds.
await() {
  local _
  for _ in $(seq 100); do
    grep -qE -- "$2" "$3" && { echo "ok: $1"; return; }
    sleep 0.1
  done
  fail "$1: no match of /$2/ in: $(cat "$3")"
}

# eventually COMMAND…: tries for ten seconds. A server publishes a new resource's API document a moment later.
eventually() {
  local _
  for _ in $(seq 20); do
    "$@" 2>/dev/null && return
    sleep 0.5
  done
  "$@"
}

run_manifest() {  # run_manifest NAME DEADLINE: a JobRun
  printf 'apiVersion: jobrun.dev/v1\nkind: JobRun\nmetadata:\n  name: %s\n  labels: {app: script}\nspec:\n  deadlineSeconds: %s\n' "$1" "$2"
}

pod_manifest() {  # pod_manifest NAME FIELDS: a pod with these further fields of its spec
  printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: %s, labels: {app: pods}}\nspec: {%s}\n' "$1" "$2"
}

event_manifest() {  # event_manifest UID: an Event about the JobRun sync
  cat <<MANIFEST
apiVersion: v1
kind: Event
metadata: {name: sync.1}
involvedObject: {apiVersion: jobrun.dev/v1, kind: JobRun, name: sync, namespace: $namespace, uid: $1}
type: Warning
reason: HeartbeatTimeout
message: silent for 150 s
firstTimestamp: "2026-01-01T00:00:00Z"
lastTimestamp: "2026-01-01T00:00:00Z"
count: 1
source: {component: jobrun-controller}
MANIFEST
}

expect "the server's version is told" 'Server Version: v1\.' k version
expect "the resource is offered with its short name" 'jobruns +jr +jobrun\.dev/v1 +true +JobRun' k api-resources --api-group=jobrun.dev
expect "a namespace is created" 'created' k create namespace "$namespace"
expect "explain knows a field and its unit" 'Seconds' eventually k explain jobrun.spec.deadlineSeconds
expect "explain lists the phases" 'enum: Pending, Running, Succeeded' k explain jobrun.status

run_manifest sync 60 >"$scratch/sync.yaml"
expect "apply creates" 'jobrun.jobrun.dev/sync created' k apply -f "$scratch/sync.yaml"
expect "apply again changes nothing" 'unchanged' k apply -f "$scratch/sync.yaml"
run_manifest sync 90 >"$scratch/sync.yaml"
expect "apply changes a threshold" 'configured' k apply -f "$scratch/sync.yaml"
expect "the threshold is stored" '^90$' k get jobrun sync -o 'jsonpath={.spec.deadlineSeconds}'
expect "diff finds nothing to change" '^$' k diff -f "$scratch/sync.yaml"
printf 'apiVersion: jobrun.dev/v1\nkind: JobRun\nmetadata: {name: typo}\nspec: {deadlineSecond: 5}\n' >"$scratch/typo.yaml"
refuse "a misspelt field is refused" 'unknown field "spec.deadlineSecond"' k create -f "$scratch/typo.yaml"
run_manifest late 0 >"$scratch/late.yaml"
refuse "a value out of bounds is refused" 'spec.deadlineSeconds' k create -f "$scratch/late.yaml"
run_manifest other 60 >"$scratch/other.yaml"
expect "create creates" 'created' k create -f "$scratch/other.yaml"
refuse "create does not overwrite" 'already exists' k create -f "$scratch/other.yaml"

k get jr --watch >"$scratch/watch" 2>&1 &
watcher=$!
await "get -w shows what is there" '^sync +.* default ' "$scratch/watch"

claim='{"status":{"phase":"Running","claimedAt":"2026-01-01T00:00:00Z","claimedBy":"w1"}}'
expect "a claim is patched" 'patched' k patch jobrun sync --subresource=status --type=merge -p "$claim"
await "get -w shows the claim" '^sync +Running +default +w1 ' "$scratch/watch"
expect "a heartbeat is patched" 'patched' k patch jobrun sync --subresource=status --type=merge -p '{"status":{"lastHeartbeatAt":"2026-01-01T00:00:30Z"}}'
expect "wait sees the phase" 'condition met' k wait jobrun/sync '--for=jsonpath={.status.phase}=Running' --timeout=10s
expect "get has the columns" '^NAME +PHASE +LANE +WORKER +HEARTBEAT +REASON +ATTEMPT +AGE' k get jobruns
expect "get shows the run" '^sync +Running +default +w1 ' k get jr sync
expect "a field selects" '^jobrun.jobrun.dev/sync$' k get jr -o name --field-selector=status.phase=Running
expect "a label selects" '^jobrun.jobrun.dev/other$' k get jr -o name -l app=script
expect "describe shows the status" 'Claimed By: +w1' k describe jobrun sync

refuse "a second claim is refused" 'claimedBy is set once' k patch jobrun sync --subresource=status --type=merge -p '{"status":{"claimedBy":"w2"}}'
k wait jobrun/sync '--for=jsonpath={.status.phase}=Stuck' --timeout=20s >"$scratch/wait" 2>&1 &
waiting=$!
expect "the run becomes Stuck" 'patched' k patch jobrun sync --subresource=status --type=merge -p '{"status":{"phase":"Stuck","reason":"HeartbeatTimeout","conditions":[{"type":"Stuck","status":"True"}]}}'
wait "$waiting" || fail "wait did not see Stuck: $(cat "$scratch/wait")"
expect "wait sees the condition" 'condition met' k wait jobrun/sync --for=condition=Stuck --timeout=10s
refuse "a zombie's heartbeat is refused" 'the run is finished and its status is final' \
  k patch jobrun sync --subresource=status --type=merge -p '{"status":{"lastHeartbeatAt":"2026-01-01T00:01:00Z"}}'
await "get -w shows the reason" '^sync +Stuck +default +w1 .* HeartbeatTimeout ' "$scratch/watch"

event_manifest "$(k get jobrun sync -o 'jsonpath={.metadata.uid}')" >"$scratch/event.yaml"
expect "an Event is created" 'created' k create -f "$scratch/event.yaml"
expect "events shows it" 'Warning +HeartbeatTimeout +JobRun/sync +silent for 150 s' k events --for jobrun/sync
expect "describe shows the Event" 'HeartbeatTimeout +.*silent for 150 s' k describe jobrun sync

expect "delete deletes and waits for it" 'deleted' k delete jobrun sync --timeout=10s
refuse "a deleted run is not found" 'jobruns.jobrun.dev "sync" not found' k get jobrun sync
refuse "a heartbeat for a deleted run is an error" 'jobruns.jobrun.dev "sync" not found' \
  k patch jobrun sync --subresource=status --type=merge -p '{"status":{"lastHeartbeatAt":"2026-01-01T00:01:00Z"}}'
expect "wait sees that it is gone" '^$|not found|condition met' k wait jobrun/sync --for=delete --timeout=10s
expect "delete by label deletes the rest" 'other" ?(deleted|deleted from)' k delete jobrun -l app=script
expect "nothing is left" 'No resources found' k get jobruns

container='containers: [{name: main, image: busybox}]'
pod_manifest bare '' >"$scratch/bare.yaml"
refuse "a pod without containers is refused" 'The Pod "bare" is invalid: spec.containers: Required value' k create -f "$scratch/bare.yaml"
pod_manifest nothing 'containers: [{name: main}]' >"$scratch/nothing.yaml"
refuse "a container without an image is refused" 'spec.containers\[0\].image: Required value' k create -f "$scratch/nothing.yaml"
pod_manifest worker "nodeName: n1, restartPolicy: Never, $container" >"$scratch/worker.yaml"
expect "a pod is created" 'pod/worker created' k create -f "$scratch/worker.yaml"
expect "it is pending" '^worker +0/1 +Pending +0 ' k get pods
k get pods --watch >"$scratch/pods" 2>&1 &
kill "$watcher"
watcher=$!
await "get pods -w shows what is there" '^worker +0/1 +Pending +0 ' "$scratch/pods"
main='"name":"main","image":"busybox","imageID":""'
expect "a strategic patch of its status makes it run" 'pod/worker patched' k patch pod worker --subresource=status \
  -p "{\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{$main,\"ready\":true,\"restartCount\":0,\"state\":{\"running\":{}}}]}}"
await "get pods -w shows it running" '^worker +1/1 +Running +0 ' "$scratch/pods"
expect "get -o wide shows its node" '^worker +1/1 +Running +0 +[0-9]+s +<none> +n1 +<none> +<none>$' k get pods -o wide
expect "a merge patch ends its container" 'pod/worker patched' k patch pod worker --subresource=status --type=merge \
  -p "{\"status\":{\"containerStatuses\":[{$main,\"ready\":false,\"restartCount\":2,\"state\":{\"terminated\":{\"exitCode\":137,\"reason\":\"OOMKilled\"}}}]}}"
expect "get shows why it does not run" '^worker +0/1 +OOMKilled +2 ' k get pods -l app=pods
refuse "a container that is never restarted stays ended" 'may not be transitioned to non-terminated state' k patch pod worker --subresource=status \
  -p "{\"status\":{\"containerStatuses\":[{$main,\"ready\":true,\"restartCount\":0,\"state\":{\"running\":{}}}]}}"
expect "a JSON patch adds a condition" 'pod/worker patched' k patch pod worker --subresource=status --type=json \
  -p '[{"op":"add","path":"/status/conditions","value":[{"type":"DisruptionTarget","status":"True","reason":"EvictionByEvictionAPI"}]}]'
expect "the condition is stored" '^EvictionByEvictionAPI$' k get pod worker -o 'jsonpath={.status.conditions[?(@.type=="DisruptionTarget")].reason}'
refuse "a pod is not moved" 'pod updates may not change fields other than' k patch pod worker -p '{"spec":{"nodeName":"n2"}}'
expect "describe shows the exit code" 'Exit Code: +137' k describe pod worker
expect "describe shows its node" 'Node: +n1/' k describe pod worker
expect "explain knows the phase" 'FIELD: phase <string>' k explain pod.status.phase
expect "a pod on a node is marked deleted" 'pod "worker" deleted' k delete pod worker --wait=false
expect "it is there until its kubelet deletes it" '^worker +0/1 +Terminating +2 ' k get pods
expect "its grace is 30 s" '^30$' k get pod worker -o 'jsonpath={.metadata.deletionGracePeriodSeconds}'
expect "it can still report" 'pod/worker patched' k patch pod worker --subresource=status -p '{"status":{"phase":"Failed","reason":"Evicted"}}'
expect "a grace of 0 removes it" 'pod "worker" force deleted' k delete pod worker --force --grace-period=0
refuse "a deleted pod is not found" 'pods "worker" not found' k get pod worker
expect "run makes a pod" 'pod/unbound created' k run unbound --image=busybox --restart=Never --labels=app=pods
expect "wait sees its phase" 'condition met' k wait pod/unbound '--for=jsonpath={.status.phase}=Pending' --timeout=10s
expect "a pod on no node goes at once" 'pod "unbound" deleted' k delete pod -l app=pods --timeout=10s
expect "no pod is left" 'No resources found' k get pods
echo "kubectl_script.sh: all as expected"
