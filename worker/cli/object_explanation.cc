#include "worker/cli/object_explanation.h"

#include <algorithm>
#include <array>

#include "controller/base/rfc3339.h"
#include "controller/model/explanation.h"
#include "controller/verdict/decide.h"
#include "controller/verdict/resolve.h"
#include "controller/wire/explanation_writer.h"
#include "controller/wire/status_patch.h"

namespace jobrun {
namespace {

// Without a controller's eyes the object's own times stand in for what it has seen.
Silence SeenAt(ServerTime time) { return Silence(time.time_since_epoch()); }

// A time of the object; what can't be read, or can't be, is the nearest that can.
ServerTime TimeOf(std::string_view text, ServerTime earliest, ServerTime now) {
  return std::clamp(ParseRfc3339(text).value_or(earliest), earliest, std::max(earliest, now));
}

bool HasBeaten(const ObservedRun& run) {
  if (run.last_heartbeat_at.empty()) return false;
  const auto beat = ParseRfc3339(run.last_heartbeat_at);
  const auto claim = ParseRfc3339(run.claimed_at);
  if (!beat || !claim) return run.last_heartbeat_at != run.claimed_at;
  return std::chrono::abs(*beat - *claim) >= std::chrono::seconds(1);
}

std::string UnmetGate(const Thresholds& thresholds, const ObservedRun& run) {
  if (!thresholds.completion_gates) return "";
  const std::vector<std::string> met = TrueConditions(run.conditions_json);
  for (const std::string& gate : *thresholds.completion_gates) {
    if (std::ranges::find(met, gate) == met.end()) return gate;
  }
  return "";
}

Subject SubjectOf(const ObservedRun& run, const Policy& policy, ServerTime now) {
  Subject subject{.phase = run.phase, .being_deleted = run.being_deleted, .policy = policy};
  const ServerTime claimed = TimeOf(run.claimed_at, run.created, now);
  subject.has_beaten = policy.heartbeat_mode != HeartbeatMode::kIgnored && HasBeaten(run);
  const ServerTime beaten = TimeOf(run.last_heartbeat_at, claimed, now);
  const bool pending = run.phase == Phase::kPending;
  subject.since = SeenAt(pending ? run.created : subject.has_beaten ? beaten : claimed);
  subject.started_at = run.start_time.empty() ? claimed : TimeOf(run.start_time, run.created, now);
  subject.exit_code = run.exit_code;
  subject.progress_since = SeenAt(now);
  if (run.cancelled) subject.cancelled_since = SeenAt(pending ? run.created : now);
  return subject;
}

// What nothing in the object tells.
bool IsUnknown(const ExplainedRule& rule, const ObservedRun& run, const Policy& policy) {
  const bool by_lease = policy.heartbeat_source == HeartbeatSource::kLease;
  if (rule.rule == "ExecutorLost") return !run.executor_pod.empty();
  if (rule.rule == "NoProgress") return policy.progress_timeout.has_value();
  if (rule.rule == "Cancelled") return run.cancelled && run.phase == Phase::kRunning;
  const bool silence =
      rule.rule == "HeartbeatLost" || rule.rule == "NeverBeat" || rule.rule == "ClaimExpired";
  return silence && by_lease;
}

std::string InSeconds(Nanos time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

// Judges the rows in their order, as Decide does; `unknown` ones are passed over.
std::string Judge(Explanation& e, const std::vector<bool>& unknown) {
  const std::string head = e.run + " is " + std::string(e.phase) + ": ";
  if (e.being_deleted) return head + "it is being deleted, so nothing is done about it";
  if (e.rules.empty()) return head + "it has ended";
  const ExplainedRule* next = nullptr;
  for (std::size_t i = 0; i < e.rules.size(); ++i) {
    const ExplainedRule& rule = e.rules[i];
    if (unknown[i] || !rule.due_in) continue;
    if (*rule.due_in <= Nanos::zero()) {
      e.reason = rule.reason;
      e.overdue = -*rule.due_in;
      return head + std::string(rule.reason) + " is due since " + InSeconds(e.overdue) +
             ", by the times in the object";
    }
    if (next == nullptr || *rule.due_in < *next->due_in) next = &rule;
  }
  if (next == nullptr) return head + "no rule is known to make it due as things are";
  return head + std::string(next->rule) + " is due in " + InSeconds(*next->due_in);
}

ServerTime ExitedAt(const OrderedJson& object, const ObservedRun& run, ServerTime now) {
  const ServerTime claimed = TimeOf(run.claimed_at, run.created, now);
  const ServerTime beaten = TimeOf(run.last_heartbeat_at, claimed, now);
  return std::max(beaten, TimeOf(TextAt(PartOf(object, "status"), "exitTime"), claimed, now));
}

}  // namespace

Result<OrderedJson> ExplainObject(EventDecoder& decoder, const std::string& object,
                                  ServerTime now) {
  const Event event = decoder.DecodeObject(object);
  const auto json = ParseJson(object);
  if (event.type == EventType::kInvalid || !json) {
    return Error{Code::kInvalid, "read the object", std::string(event.message)};
  }
  const ObservedRun& run = event.run;
  const auto thresholds = decoder.DecodeThresholds(run.spec_json);
  if (!thresholds) return thresholds.error();
  const Policy policy = ResolvePolicy(*thresholds, {}, {}, Reaping::kEnabled);
  Subject subject = SubjectOf(run, policy, now);
  const std::string gate = UnmetGate(*thresholds, run);
  subject.unmet_gate = gate;
  subject.finalizing_since = SeenAt(ExitedAt(*json, run, now));

  Explanation e{.run = std::string(run.name_space) + '/' + std::string(run.name),
                .uid = FormatUid(run.uid),
                .resource_version = run.resource_version,
                .phase = PhaseName(run.phase),
                .lane = std::string(run.lane),
                .reaping = kReapingNames.at(static_cast<std::size_t>(policy.reaping)),
                .being_deleted = run.being_deleted,
                .has_beaten = subject.has_beaten,
                .silent_for = SeenAt(now) - subject.since};
  if (run.phase != Phase::kPending) e.started_at = subject.started_at;
  std::vector<bool> unknown;
  const Now at{.silence = SeenAt(now), .server = {now, now}};
  for (const RowDecision& row : DecideByRow(subject, at)) {
    ExplainedRule rule{.row = row.row, .rule = row.rule};
    if (const auto* later = std::get_if<Recheck>(&row.decision)) rule.due_in = later->in;
    if (const auto* reap = std::get_if<Reap>(&row.decision)) {
      rule.due_in = -reap->overdue;
      rule.reason = Info(reap->reason).name;
    }
    unknown.push_back(IsUnknown(rule, run, policy));
    e.rules.push_back(rule);
  }
  e.words = Judge(e, unknown);
  OrderedJson written = OrderedJson::parse(WriteExplanation(e));
  written.erase("controller");
  for (std::size_t i = 0; i < unknown.size(); ++i) {
    if (!unknown[i]) continue;
    written["rules"][i] = {
        {"row", e.rules[i].row}, {"rule", e.rules[i].rule}, {"state", "unknown"}};
  }
  return written;
}

Result<OrderedJson> ThresholdsOf(EventDecoder& decoder, const OrderedJson& object) {
  const auto said = decoder.DecodeThresholds(PartOf(object, "spec").dump());
  if (!said) return said.error();
  const Policy policy = ResolvePolicy(*said, {}, {}, Reaping::kEnabled);
  OrderedJson all = OrderedJson::object();
  const auto add = [&](std::string_view path, std::optional<Seconds> value, bool own) {
    if (!value) return;
    all[std::string(path)] = {{"value", value->count()}, {"from", own ? "run" : "built-in"}};
  };
  const std::array<std::optional<Seconds>, kSecondsFields.size()> values = {
      policy.pending_deadline,   policy.deadline,          policy.backstop,     policy.claim_ttl,
      policy.progress_timeout,   policy.finalize_grace,    policy.cancel_grace, policy.ttl,
      policy.heartbeat_interval, policy.heartbeat_timeout, policy.first_timeout};
  for (std::size_t i = 0; i < kSecondsFields.size(); ++i) {
    add(kSecondsFields[i].path, values[i], ((*said).*(kSecondsFields[i].member)).has_value());
  }
  return all;
}

}  // namespace jobrun
