#!/bin/sh
# worker.sh RUN NAME BEATS: a worker in sh and curl. Claims the JobRun, heartbeats once a second, finishes it.
#   BEATS  how many heartbeats the work takes; `forever`: it never ends; `none`: nor does it ever heartbeat
# $API_SERVER is the server's URL, $CREDENTIALS a folder with `token` and `ca.crt`, $NAMESPACE the run's namespace; the
# defaults are those of a pod. $INTERVAL is the time between heartbeats in seconds. $POD_NAME and $POD_UID name the pod
# that this runs in, if it is one (the downward API), so that the controller can see what becomes of it.
# Exit codes: 0 finished; 64 usage; 65 fenced: the run is over or gone, so the work must stop; 73 claimed by, or assigned
# to, another.
set -eu

usage() {
  echo "worker.sh: $*" >&2
  exit 64
}

[ $# -eq 3 ] || usage "expected RUN NAME BEATS"
name=$2
beats=$3
credentials=${CREDENTIALS:-/var/run/secrets/kubernetes.io/serviceaccount}
url=${API_SERVER:-https://kubernetes.default.svc}/apis/jobrun.dev/v1/namespaces/${NAMESPACE:-default}/jobruns/$1
interval=${INTERVAL:-1}
executor=
[ -z "${POD_UID:-}" ] || executor=",\"executor\":{\"podName\":\"$POD_NAME\",\"podUID\":\"$POD_UID\"}"
for file in token ca.crt; do
  [ -r "$credentials/$file" ] || usage "can't read $credentials/$file; set CREDENTIALS to the folder that has it"
done

now() { date -u +%Y-%m-%dT%H:%M:%S.%6NZ; }

say() { echo "$(now) $name: $*"; }

# call METHOD URL [KIND PATCH]: prints the body and, on a last line, the HTTP code; 000 when no answer came. The token is
# read anew each time, because it is rotated, and given on stdin, because arguments can be seen by everyone.
call() {
  printf 'header = "Authorization: Bearer %s"\n' "$(cat "$credentials/token")" |
    curl --config - --silent --max-time 5 --cacert "$credentials/ca.crt" --request "$1" \
      --header "Content-Type: application/${3:-merge}-patch+json" ${4:+--data "$4"} --write-out '\n%{http_code}\n' "$2" || true
}

patch_status() { call PATCH "$url/status" "$1" "$2" | tail -n 1; }  # patch_status KIND PATCH

# set_status FIELD JSON…: changes the run that we have claimed, and no other of its name.
set_status() {
  operations="{\"op\":\"test\",\"path\":\"/status/claimedBy\",\"value\":\"$name\"}"
  operations="$operations,{\"op\":\"test\",\"path\":\"/status/claimedAt\",\"value\":\"$claimed_at\"}"
  while [ $# -gt 1 ]; do
    operations="$operations,{\"op\":\"add\",\"path\":\"/status/$1\",\"value\":$2}"
    shift 2
  done
  patch_status json "[$operations]"
}

fenced() {
  say "fenced: $1; the work stops here"
  exit 65
}

# Whoever is named there, also in the payload: better left alone than taken from somebody.
is_assigned_to_another() {
  printf '%s' "$1" | grep -o '"assignedTo": *"[^"]*"' | grep -qv ": *\"$name\"\$"
}

version_of() { printf '%s' "$1" | grep -o '"resourceVersion": *"[0-9]*"' | head -n 1 | tr -dc 0-9; }

# Claims with the version just read, so that of two workers one gets a 409. The time is taken once: a claim that is
# sent again because its answer was lost changes nothing.
claim() {
  claimed_at=$(now)
  while :; do
    answer=$(call GET "$url")
    case $(printf '%s' "$answer" | tail -n 1) in
      200) ;;
      404) fenced "no such run" ;;
      *) say "no answer, or an error; trying again"; sleep "$interval"; continue ;;
    esac
    if is_assigned_to_another "$answer"; then say "assigned to another worker"; exit 73; fi
    status="{\"phase\":\"Running\",\"claimedAt\":\"$claimed_at\",\"claimedBy\":\"$name\"$executor}"
    code=$(patch_status merge "{\"metadata\":{\"resourceVersion\":\"$(version_of "$answer")\"},\"status\":$status}")
    case $code in
      200) say "claimed"; return ;;
      409) ;;  # Somebody wrote in between: look again.
      404) fenced "no such run" ;;
      422) say "taken by another worker, or over"; exit 73 ;;
      *) say "claim: HTTP $code; trying again"; sleep "$interval" ;;
    esac
  done
}

beat() {
  code=$(set_status lastHeartbeatAt "\"$(now)\"")
  case $code in
    200) ;;
    404 | 422) fenced "heartbeat refused with $code" ;;
    *) say "heartbeat: HTTP $code; the next one may get through" ;;
  esac
}

# The times are taken once, for the reason that claim has.
finish() {
  at="\"$(now)\""
  while :; do
    code=$(set_status phase '"Succeeded"' exitCode 0 exitTime "$at" completionTime "$at")
    case $code in
      200) say "finished"; return ;;
      404 | 422) fenced "end refused with $code" ;;
      *) say "finish: HTTP $code; trying again"; sleep "$interval" ;;
    esac
  done
}

claim
done=0
while [ "$beats" = none ] || [ "$beats" = forever ] || [ "$done" -lt "$beats" ]; do
  sleep "$interval"  # Here a real worker does its work.
  [ "$beats" = none ] || beat
  done=$((done + 1))
done
finish
