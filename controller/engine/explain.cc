#include "controller/engine/explain.h"

#include <algorithm>

namespace jobrun {
namespace {

std::string InSeconds(Nanos time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

ExplainedRule Explained(const RowDecision& row) {
  ExplainedRule rule{.row = row.row, .rule = row.rule};
  if (const auto* later = std::get_if<Recheck>(&row.decision)) rule.due_in = later->in;
  if (const auto* reap = std::get_if<Reap>(&row.decision)) {
    rule.due_in = -reap->overdue;
    rule.reason = Info(reap->reason).name;
  }
  return rule;
}

const ExplainedRule* NextDue(const Explanation& explanation) {
  const ExplainedRule* next = nullptr;
  for (const ExplainedRule& rule : explanation.rules) {
    if (!rule.due_in) continue;
    if (next == nullptr || *rule.due_in < *next->due_in) next = &rule;
  }
  return next;
}

// Why nothing is due.
std::string WhyNot(const Explanation& e) {
  if (e.being_deleted) return "it is being deleted, so nothing is done about it";
  if (e.rules.empty()) return "it has ended";
  const ExplainedRule* next = NextDue(e);
  if (next == nullptr) return "no rule can make it due as things are";
  std::string words = std::string(next->rule) + " is due in " + InSeconds(*next->due_in);
  if (e.silence_clock_stopped) words += ", but the silence clock stands still";
  return words;
}

}  // namespace

Slot FindRun(const Core& core, std::string_view name_space, std::string_view name) {
  Slot found = kNoSlot;
  core.store.ForEach([&](Slot slot, const RunRecord& record) {
    if (name == record.name && name_space == core.namespaces.Name(record.name_space)) {
      found = slot;
    }
  });
  return found;
}

Explanation Explain(const Core& core, Slot slot) {
  const RunRecord& record = core.store.At(slot);
  const Policy& policy = core.PolicyOf(record);
  Explanation explanation{.run = core.FullName(record),
                          .uid = FormatUid(record.uid),
                          .resource_version = record.resource_version,
                          .phase = PhaseName(record.phase),
                          .lane = core.policies.At(record.policy).lane,
                          .reaping = kReapingNames[static_cast<std::size_t>(policy.reaping)],
                          .lane_held = policy.held,
                          .being_deleted = record.being_deleted};
  const Subject run = core.SubjectOf(record);
  explanation.has_beaten = run.has_beaten;
  explanation.silent_for = std::max(core.now.silence - run.since, Nanos::zero());
  if (record.phase != Phase::kPending) explanation.started_at = record.started_at;
  for (const RowDecision& row : DecideByRow(run, core.now)) {
    explanation.rules.push_back(Explained(row));
  }
  explanation.leading = core.leading;
  explanation.silence_clock_stopped = core.silence.Stopped();
  explanation.silence_clock_behind = core.silence.Behind(core.now.mono);
  if (core.now.server.Known()) explanation.server = core.now.server;
  return explanation;
}

std::string InWords(const Explanation& e) {
  std::string words = e.run + " is " + std::string(e.phase) + ": ";
  if (e.reason.empty()) return words + WhyNot(e);
  words += std::string(e.reason) + " is due since " + InSeconds(e.overdue);
  if (!e.leading) return words + "; this replica stands by, the one that leads writes it";
  if (!e.held_by.empty()) {
    return words + "; held (" + std::string(e.held_by) + "), looked at again in " +
           InSeconds(e.looked_at_again_in);
  }
  if (!e.writing.empty()) return words + "; its write is " + std::string(e.writing);
  return words;
}

}  // namespace jobrun
