#!/usr/bin/env python3
"""Writes copies of the engine's sources with bugs planted in them, of which one at a time can be switched on.

The sources themselves stay as they are. Each plant names a piece of text that must stand in its file exactly once,
and what takes its place; PLANTED is true while the simulation has chosen this bug. Where the text is no longer
there the build stops: the plant has to be made anew.

usage: plants.py SOURCE-TREE OUTPUT-DIRECTORY
"""
import pathlib
import re
import sys

LAYERS = ['wire', 'verdict', 'watch', 'engine']

# name, file under controller/, text, text with the bug
PLANTS = [
    # Guards of writes.
    ('no-version-guard', 'wire/status_patch.cc',
     'std::to_string(resource_version)).Close();', 'std::to_string(PLANTED ? 0 : resource_version)).Close();'),
    ('resend-after-conflict', 'engine/reaper_answers.cc',
     'if (reap == nullptr || taken == TakenIn::kOlder || Idle()) return Next::kJudge;',
     'if (PLANTED && reap == nullptr && core_.leading && !IsTerminal(core_.store.At(flight.slot).phase)) {\n'
     '    WriteVerdict(flight.slot, flight.reason, "");\n    return Next::kWait;\n  }\n'
     '  if (reap == nullptr || taken == TakenIn::kOlder || Idle()) return Next::kJudge;'),
    ('wipe-the-conditions-of-others', 'engine/reaper.cc',
     'if (attempt.read_first || record.foreign_conditions) {',
     'if (attempt.read_first || (record.foreign_conditions && !PLANTED)) {'),
    ('the-visit-wipes-conditions', 'engine/reaper.cc',
     'const bool adds = finds && record.foreign_conditions;',
     'const bool adds = finds && record.foreign_conditions && !PLANTED;'),
    ('standbys-write', 'engine/reaper.cc',
     'if (!core_.leading || !KnowsTheOthers(record, reap->reason)) return;',
     'if ((!core_.leading && !PLANTED) || !KnowsTheOthers(record, reap->reason)) return;'),
    ('deleted-runs-are-judged', 'verdict/decide.cc',
     'if (run.being_deleted || IsTerminal(run.phase)) return {};',
     'if ((run.being_deleted && !PLANTED) || IsTerminal(run.phase)) return {};'),
    ('dry-run-writes', 'engine/reaper.cc',
     'if (policy.reaping == Reaping::kDryRun) return', 'if (policy.reaping == Reaping::kDryRun && !PLANTED) return'),
    ('runs-override-the-kill-switch', 'verdict/resolve.cc',
     'policy.reaping = std::max(global,', 'policy.reaping = std::max(PLANTED ? Reaping::kEnabled : global,'),
    # Runs that leave the selection.
    ('a-lost-answer-goes-with-the-run', 'engine/departures.cc',
     'if (!unclear && !followed) return', 'if ((!unclear || PLANTED) && !followed) return'),
    ('finished-runs-are-not-looked-through', 'engine/finished_list.cc',
     'if (deletes && taken_ < kTakenMax) Adopt(run);', 'if (deletes && taken_ < kTakenMax && !PLANTED) Adopt(run);'),
    # What counts as a sign of life, and since when.
    ('compare-the-workers-clock', 'engine/intake.cc',
     'record.since = listed ? MarkOfBeat(run) : core_.Mark();',
     'record.since = PLANTED ? core_.MarkOf(ParseRfc3339(run.last_heartbeat_at).value_or(run.created))\n'
     '                 : listed ? MarkOfBeat(run) : core_.Mark();'),
    ('only-later-heartbeats-count', 'engine/intake.cc',
     'if (heartbeat == record.heartbeat && !first) return;',
     'if (heartbeat == record.heartbeat && !first) return;\n'
     '  if (PLANTED && !first && ParseRfc3339(run.last_heartbeat_at) < core_.now.server.earliest - std::chrono::seconds(30)) return;'),
    ('any-patch-is-a-heartbeat', 'engine/intake.cc',
     'const std::uint64_t beat_before = record.heartbeat;',
     'const std::uint64_t beat_before = record.heartbeat;\n  if (PLANTED && !is_new) record.heartbeat = 0;'),
    ('coarse-limit-on-heartbeating-runs', 'verdict/rules.cc',
     'if (Heartbeating(run) || !run.policy.claim_ttl) return NeverDue{};',
     'if ((Heartbeating(run) && !PLANTED) || !run.policy.claim_ttl) return NeverDue{};'),
    ('heartbeats-excuse-the-deadline', 'verdict/rules.cc',
     'if (!run.policy.deadline) return NeverDue{};',
     'if (!run.policy.deadline || (PLANTED && Heartbeating(run))) return NeverDue{};'),
    ('a-heartbeat-is-progress', 'engine/intake.cc',
     'if (hash == details.progress && details.progress_since) return;',
     'if (hash == details.progress && details.progress_since && !PLANTED) return;'),
    ('exited-runs-are-judged-as-before', 'verdict/decide.cc',
     'if (run.exit_code) return kExitedRules;', 'if (run.exit_code && !PLANTED) return kExitedRules;'),
    ('gates-are-not-asked-for', 'engine/core.cc',
     'if (!met && run.unmet_gate.empty())', 'if (!met && run.unmet_gate.empty() && !PLANTED)'),
    ('the-deadline-counts-from-the-creation', 'engine/intake.cc',
     'record.started_at = server.latest;', 'record.started_at = PLANTED ? run.created : server.latest;'),
    # Time.
    ('outages-count-as-silence', 'engine/silence_clock.cc',
     'if (stopped_ || now <= StopsAt()) return;', 'if (stopped_ || now <= StopsAt() || PLANTED) return;'),
    ('not-set-back', 'engine/silence_clock.cc',
     '  value_ = evident_;\n  stopped_ = true;', '  value_ = PLANTED ? Read(evidence_ + run_on_) : evident_;\n  stopped_ = true;'),
    ('no-grace', 'engine/reaper.cc',
     'if (grace_ends > now) return', 'if (grace_ends > now && !PLANTED) return'),
    ('a-grace-is-forgotten-at-a-restart', 'engine/canaries.cc',
     'core_.silence.Recall(core_.now.mono - since_stop);',
     'if (!PLANTED) core_.silence.Recall(core_.now.mono - since_stop);'),
    ('verdicts-while-blind', 'engine/reaper.cc',
     'if (core_.silence.Stopped()) return Gate', 'if (core_.silence.Stopped() && !PLANTED) return Gate'),
    ('stops-are-forgotten-at-a-restart', 'engine/core.cc',
     'const ServerTime from = std::max(stamp, writable_since);',
     'const ServerTime from = PLANTED ? stamp : std::max(stamp, writable_since);'),
    ('no-age-at-the-start-but-forever', 'engine/intake.cc',
     'if (!stamp) return core_.Mark();', 'if (!stamp || PLANTED) return core_.MarkOf(run.created);'),
    ('suspension-is-no-silence-stop', 'engine/elector.cc',
     'bool Elector::Leading() const { return !Elects() || core_.now.boot < lead_until_; }',
     'bool Elector::Leading() const {\n  return !Elects() || core_.now.boot < lead_until_ + (PLANTED ? Nanos(std::chrono::hours(1)) : Nanos(0));\n}'),
    ('a-lease-counts-from-the-answer', 'engine/elector.cc',
     'Renewed(flight.sent_at);', 'Renewed(PLANTED ? core_.now.boot + Nanos(timing_.lease) : flight.sent_at);'),
    ('anothers-lease-is-taken-at-once', 'engine/elector.cc',
     'return seen_->holder.empty() ||', 'return PLANTED || seen_->holder.empty() ||'),
    # The breaker.
    ('the-breaker-never-opens', 'engine/breaker.cc',
     'const bool open = settings.enabled &&', 'const bool open = !PLANTED && settings.enabled &&'),
    # The watch.
    ('relist-keeps-the-dead', 'engine/run_watch.cc',
     'if (record.scope == index_ && record.epoch != Epoch())', 'if (!PLANTED && record.scope == index_ && record.epoch != Epoch())'),
    ('lists-once-only', 'watch/reflector.cc',
     'if (!after) return Mono::max();', 'if (!after || PLANTED) return Mono::max();'),
    # What is counted.
    ('count-before-commit', 'engine/reaper.cc',
     'const std::string message = VerdictMessage(core_.SubjectOf(record), reason);',
     'const std::string message = VerdictMessage(core_.SubjectOf(record), reason);\n'
     '  if (PLANTED) core_.CountOne(Metric::kReaps, core_.LabelOf(record), static_cast<std::uint8_t>(reason));'),
    ('count-verdicts-of-others', 'engine/own_verdicts.h',
     'if (!verdict_id.starts_with(prefix_)) return false;',
     'if (!verdict_id.starts_with(prefix_)) return PLANTED && !verdict_id.empty();'),
    ('lost-answers-are-not-counted', 'engine/reaper.cc',
     'if (!reason || !verdicts_.See(run.verdict_id)) return;',
     'if (!reason || (PLANTED && attempt.empty()) || !verdicts_.See(run.verdict_id)) return;'),
    ('verdicts-are-counted-again', 'engine/own_verdicts.h',
     'error == std::errc() && read == end && unseen_.erase(number) != 0;',
     'error == std::errc() && read == end && (PLANTED || unseen_.erase(number) != 0);'),
    ('an-old-backup-is-not-believed', 'engine/run_watch.cc',
     'if (run.resource_version < store.At(slot).resource_version) undone_',
     'if (!PLANTED && run.resource_version < store.At(slot).resource_version) undone_'),
    # Retries.
    ('verdict-and-retry-in-two-writes', 'engine/reaper.cc',
     'if (Info(reason).phase != Phase::kSucceeded) {', 'if (Info(reason).phase != Phase::kSucceeded && !PLANTED) {'),
    ('a-name-for-each-try', 'engine/outbox_steps.cc',
     'WriteSuccessor(item.parent, {.name = item.successor_name, .attempt = attempt});',
     'WriteSuccessor(item.parent, {.name = item.successor_name + (PLANTED ? std::to_string(core_.next_id) : ""), .attempt = attempt});'),
    ('adopt-a-foreign-object', 'engine/outbox_steps.cc',
     'if (ParseUid(event.run.retry_of_uid) != uid) {', 'if (ParseUid(event.run.retry_of_uid) != uid && !PLANTED) {'),
    ('retry-before-its-time', 'engine/outbox.cc',
     '.from = not_before.value_or(ServerTime::min())};', '.from = PLANTED ? ServerTime::min() : not_before.value_or(ServerTime::min())};'),
    ('handing-back-costs-an-attempt', 'verdict/retry_plan.cc',
     '(run.reason == kHandedBack ? 0 : 1);', '(run.reason == kHandedBack && !PLANTED ? 0 : 1);'),
    ('one-attempt-too-many', 'verdict/retry_plan.cc',
     'if (attempt >= static_cast<std::uint32_t>(policy.max_attempts))',
     'if (attempt >= static_cast<std::uint32_t>(policy.max_attempts) + (PLANTED ? 1U : 0U))'),
    ('a-refusal-ends-the-retry', 'engine/outbox.cc',
     'item.held_until = core_.now.mono + HoldWait(', 'item.held_until = PLANTED ? Mono::max() - std::chrono::hours(1) : core_.now.mono + HoldWait('),
    # Leases and pods.
    ('silence-without-deleting-the-lease', 'engine/leases.cc',
     'if (!lease.uid.IsNone()) return Need::kDelete;', 'if (!lease.uid.IsNone()) return PLANTED ? Need::kNothing : Need::kDelete;'),
    # What must not be given up, nor begun too often.
    ('a-lost-answer-leaves-the-run-alone', 'engine/reaper_answers.cc',
     'core_.timers.Arm(slot, core_.now.mono + wait);', 'if (!PLANTED) core_.timers.Arm(slot, core_.now.mono + wait);'),
]


def plant(source, output):
    texts = {}
    for layer in LAYERS:
        for path in sorted((source / 'controller' / layer).glob('*')):
            if path.suffix in ('.cc', '.h'):
                texts[f'{layer}/{path.name}'] = path.read_text()
    for number, (name, path, old, new) in enumerate(PLANTS, 1):
        if texts[path].count(old) != 1:
            sys.exit(f'plants.py: {name}: its text stands {texts[path].count(old)} times in controller/{path}')
        texts[path] = texts[path].replace(old, new.replace('PLANTED', f'(::jobrun::planted_bug == {number})'))
    for path, text in texts.items():
        if '::jobrun::planted_bug' in text:
            first = re.search(r'^#include', text, flags=re.M).start()
            text = text[:first] + '#include "tests/simulation/planted.h"\n' + text[first:]
        write(output / 'controller' / path, text)
    names = ',\n'.join(f'    "{name}"' for name, *_ in PLANTS)
    write(output / 'plant_names.inc', names + '\n')


# What has not changed keeps its time, so that nothing is compiled for it.
def write(path, text):
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == '__main__':
    plant(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
