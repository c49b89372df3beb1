#!/bin/sh
# worker.sh NAMESPACE/NAME: works on one JobRun, with kubectl. Put your work into step(). Needs Linux and GNU date.
# Exit codes: 0 done; 1 the work failed; 65 the run is over, fenced or cancelled; 66 no such run; 69 no answer; 73
# claimed by, or assigned to, another worker; 77 forbidden; 143 handed back because of SIGTERM.
set -u
namespace=${1%/*} run=${1#*/}
worker=${POD_NAME:-$(hostname)-$$}
request_seconds=5
terminated=
trap 'terminated=yes' TERM

# One step of the work. A step that hangs keeps the loop below from beating, as it should.
step() {  # step NUMBER
  sleep "${step_seconds:-1}"
  [ "$1" != "$fail_at" ]
}

now() { date -u +%Y-%m-%dT%H:%M:%S.%6NZ; }

centiseconds() { cut -d' ' -f1 /proc/uptime | tr -d .; }  # No setting of the clock changes them.

log() { echo "$(now) $*" >&2; }

stop() {  # stop CODE WHY: ends the worker, and with it the work
  log "$2"
  exit "$1"
}

kube() { timeout "$request_seconds" kubectl --namespace "$namespace" "$@" 2>&1; }

patch() {  # patch TYPE PATCH
  sent_at=$(centiseconds)
  answer=$(kube patch jobrun "$run" --subresource=status --type="$1" --output='jsonpath={.spec.cancelled}' \
    --patch "$2") || return
  accepted_at=$sent_at cancelled=$answer
}

# Operations of a JSON patch.
test_that() { printf '{"op":"test","path":"%s","value":"%s"}' "$1" "$2"; }  # test_that PATH TEXT
add() { printf ',{"op":"add","path":"/status/%s","value":%s}' "$1" "$2"; }  # add FIELD JSON

get() { kube get jobrun "$run" --ignore-not-found --output="jsonpath=$1"; }  # Prints nothing when there is no run.

claim() {
  claimed_at=$(now)  # Once: a claim whose answer was lost is seen to be ours.
  state='{.status.phase}|{.status.claimedBy}|{.status.claimedAt}|{.spec.assignedTo}'
  identity='{.metadata.resourceVersion}|{.metadata.uid}'
  settings='{.spec.heartbeat.intervalSeconds}|{.spec.heartbeat.timeoutSeconds}'
  payload='{.spec.payload.steps}|{.spec.payload.stepSeconds}|{.spec.payload.failAt}'
  for _ in 1 2 3 4 5; do
    if answer=$(get "$state|$identity|$settings|$payload"); then
      [ -n "$answer" ] || stop 66 "no such run"
      IFS='|' read -r phase owner since assigned version uid interval timeout steps step_seconds fail_at <<END
$answer
END
      case $phase in Succeeded | Failed | Stuck) stop 65 "the run is over: $phase" ;; esac
      [ -z "$owner" ] || [ "$owner $since" = "$worker $claimed_at" ] || stop 73 "claimed by $owner since $since"
      [ "${assigned:-$worker}" = "$worker" ] || stop 73 "assigned to $assigned"
      # The guard: of two workers that have read this version, one gets a conflict, and reads again.
      status="{\"phase\":\"Running\",\"claimedAt\":\"$claimed_at\",\"claimedBy\":\"$worker\"}"
      patch merge "{\"metadata\":{\"resourceVersion\":\"$version\"},\"status\":$status}" && return
    fi
    case $answer in *"(Forbidden)"* | *"(Unauthorized)"*) stop 77 "$answer" ;; esac
    sleep 1
  done
  stop 69 "can't claim the run: $answer"
}

# Whether it was accepted. A new run of this name, and one that another worker has claimed, refuse it. kubectl fails
# alike when it is refused and in an outage, so ask whose the run is: without an answer the next one may get through, and
# when the end is what was written (PHASE), only its answer was lost.
report() {  # report OPERATIONS [PHASE]
  patch json "[$(test_that /metadata/uid "$uid"),$(test_that /status/claimedBy "$worker")$1]" && return
  log "not accepted: $answer"
  if owner=$(get '{.status.phase} {.status.claimedBy} {.metadata.uid}'); then
    case $owner in
      "Running $worker $uid") ;;
      "${2:-} $worker $uid") return ;;
      *) stop 65 "fenced: the run is ${owner:-gone}" ;;
    esac
  fi
  stop_if_silent
  return 1
}

beat() {  # beat PROGRESS: once in an interval, whatever became of the beat before
  if [ "$(centiseconds)" -ge "$next_beat_at" ]; then
    next_beat_at=$(($(centiseconds) + interval * 100))
    report "$(add lastHeartbeatAt "\"$(now)\"")$(add progress "\"$1\"")"
  fi
  stop_if_silent
}

stop_if_silent() {
  [ $(($(centiseconds) - accepted_at)) -lt $((timeout * 100)) ] ||
    stop 65 "fenced: nothing was accepted for $timeout s, so somebody else may be doing the work"
}

record() {  # record OPERATIONS [PHASE]: sends what must arrive until it does
  until report "$@"; do sleep "$interval"; done
}

end() {  # end PHASE [REASON]
  record "$(add phase "\"$1\"")${2:+$(add reason "\"$2\"")}$(add completionTime "\"$(now)\"")" "$1"
}

claim
log "claimed as $worker"
interval=${interval:-30} timeout=${timeout:-150} steps=${steps:-60}
request_seconds=$((interval < 9 ? 3 : interval < 15 ? interval / 3 : 5))  # kubectl takes a moment to start.
next_beat_at=$((accepted_at + interval * 100))
done=0 exit_code=0
while [ "$done" -lt "$steps" ]; do
  step $((done + 1)) || { exit_code=1; break; }
  done=$((done + 1))
  beat "$done/$steps"
  [ "$cancelled" != true ] || { end Failed Cancelled; stop 65 "cancelled"; }
  [ -z "$terminated" ] || { end Failed HandedBack; stop 143 "handed back"; }
done
record "$(add exitCode "$exit_code")$(add exitTime "\"$(now)\"")"
if [ "$exit_code" = 0 ]; then end Succeeded; else end Failed WorkFailed; fi
stop "$exit_code" "ended with $exit_code"
