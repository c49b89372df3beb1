#include "tests/simulation/oracle.h"

#include <algorithm>

#include "controller/base/rfc3339.h"
#include "tests/simulation/replica.h"

namespace jobrun::simulation {
namespace {

using std::chrono::seconds;

constexpr std::size_t kRequestsMax = 400;
constexpr Nanos kRequestsWithin = seconds(10);

bool IsCanary(const Object& object) { return object.Spec("lane") == "jobrun-canary"; }

std::string TextIn(std::string_view body, std::string_view field) {
  const std::string mark = "\"" + std::string(field) + "\":\"";
  const std::size_t at = body.find(mark);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = at + mark.size();
  return std::string(body.substr(begin, body.find('"', begin) - begin));
}

// "ns/name" of the run that a request is about; empty when it is about none.
std::string RunIn(std::string_view target) {
  constexpr std::string_view kPrefix = "/apis/jobrun.dev/v1/namespaces/";
  constexpr std::string_view kPlural = "/jobruns/";
  if (!target.starts_with(kPrefix)) return {};
  target.remove_prefix(kPrefix.size());
  const std::size_t plural = target.find(kPlural);
  if (plural == std::string_view::npos) return {};
  std::string key(target.substr(0, plural));
  target.remove_prefix(plural + kPlural.size());
  return key.append("/").append(target.substr(0, target.find_first_of("/?")));
}

Nanos Faster(Nanos time, double times) {
  return Nanos(static_cast<Nanos::rep>(static_cast<double>(time.count()) / times));
}

Nanos Slower(Nanos time, double times) {
  return Nanos(static_cast<Nanos::rep>(static_cast<double>(time.count()) * times));
}

}  // namespace

void Oracle::Fail(std::string invariant, const Object& run, std::string_view what) {
  world_.Fail(std::move(invariant), run.Key().substr(0, 30) + " " + std::string(what));
}

// ---- the history ----

void Oracle::OnChange(const Change& change) {
  const Object& object = *change.object;
  if (object.kind == Kind::kLease && change.type != ChangeType::kDeleted) {
    for (auto& [uid, facts] : runs_) {
      if (facts.now == nullptr || facts.now->name_space != object.name_space) continue;
      if (facts.now->Status("claimedBy") == object.name) facts.lease_beaten = change.at;
    }
  }
  if (object.kind != Kind::kRun) return;
  if (IsCanary(object)) return NoteCanary(change.at);
  RunFacts& facts = runs_[object.uid];
  if (change.before != nullptr && change.type == ChangeType::kModified) {
    CheckFinal(change);
    CheckConditions(change);
    const bool ends = !change.before->IsOver() && object.IsOver();
    if (ends && !object.Status("verdictID").empty()) CheckVerdict(change, facts);
    CheckRetry(change, facts);
  }
  if (change.type == ChangeType::kAdded) CheckCreated(change);
  Note(change, facts);
}

void Oracle::Note(const Change& change, RunFacts& facts) {
  const Object& object = *change.object;
  const auto differs = [&](std::string_view field) {
    const auto now = object.status.find(field);
    if (now == object.status.end()) return false;
    if (change.before == nullptr) return true;
    const auto before = change.before->status.find(field);
    return before == change.before->status.end() || before->second != now->second;
  };
  if (change.type == ChangeType::kAdded) facts.created = change.at;
  if (facts.now != nullptr && *facts.now->spec != *object.spec) facts.before_edit = facts.now;
  if (differs("claimedAt")) facts.claimed = change.at;
  const bool is_beat = facts.beaten || IsBeat(object);
  if (differs("lastHeartbeatAt") && is_beat) facts.beaten = change.at;
  if (differs("progress")) facts.progressed = change.at;
  if (differs("exitCode")) facts.exited = change.at;
  if (!facts.cancelled && object.spec->contains("cancelled")) facts.cancelled = change.at;
  if (!facts.ended && object.IsOver()) {
    facts.ended = change.at;
    world_.trace.Line(change.at, "store", object.Key().substr(0, 30), "is", object.Phase(),
                      object.Status("reason"));
  }
  const bool was_leaving = change.before != nullptr && change.before->deleted_at;
  const bool leaves = object.deleted_at || change.type == ChangeType::kDeleted;
  if (leaves && !was_leaving) facts.taken_away = !change.by_controller;
  if (change.type == ChangeType::kDeleted) {
    facts.gone = true;
    world_.trace.Line(change.at, "store", object.Key().substr(0, 30), "is gone");
  }
  facts.now = change.object;
}

void Oracle::OnRewind() {
  for (auto& [uid, facts] : runs_) {
    facts.restored = true;
    if (facts.now == nullptr) continue;
    const ObjectPtr found = world_.server.Find(Kind::kRun, facts.now->Key());
    facts.gone = found == nullptr || found->uid != uid;
    if (facts.gone) continue;
    facts.now = found;
    if (found->Phase() == "Pending") facts.claimed = facts.beaten = facts.progressed = std::nullopt;
    const std::string_view beat = found->Status("lastHeartbeatAt");
    if (beat.empty() || beat == found->Status("claimedAt")) facts.beaten.reset();
    if (!found->status.contains("exitCode")) facts.exited.reset();
    if (!found->spec->contains("cancelled")) facts.cancelled.reset();
    if (!found->IsOver()) facts.ended.reset();
  }
}

void Oracle::OnOutage(Nanos from, Nanos to) {
  if (!outages_.empty() && from <= outages_.back().to) {
    outages_.back().to = std::max(outages_.back().to, to);
  } else {
    outages_.push_back({from, to});
  }
}

// Time of outages in which nobody could write, but for those too short to be noticed.
Nanos Oracle::Blind(Nanos from, Nanos to) const {
  const Nanos noticed = 4 * Nanos(world_.plan.settings.canary.period);
  Nanos sum{};
  for (const Outage& outage : outages_) {
    if (outage.to - outage.from <= noticed) continue;
    sum += std::max(Nanos::zero(), std::min(to, outage.to) - std::max(from, outage.from));
  }
  return sum;
}

// ---- I3 and what belongs to others ----

void Oracle::CheckFinal(const Change& change) {
  const Object& before = *change.before;
  const Object& after = *change.object;
  for (const std::string_view once : {"claimedAt", "claimedBy"}) {
    if (!before.Status(once).empty() && before.Status(once) != after.Status(once)) {
      Fail("I3", after, "a claim has changed");
    }
  }
  if (!before.IsOver()) return;
  for (const std::string_view field : {"phase", "reason", "verdictID", "lastHeartbeatAt"}) {
    if (before.Status(field) != after.Status(field)) Fail("I3", after, "its end has changed");
  }
}

void Oracle::CheckConditions(const Change& change) {
  const auto before = change.before->status.find("conditions");
  if (before == change.before->status.end()) return;
  if (before->second.find("\"Checked\"") == std::string::npos) return;
  const auto after = change.object->status.find("conditions");
  const bool kept = after != change.object->status.end() &&
                    after->second.find("\"Checked\"") != std::string::npos;
  if (!kept) Fail("D", *change.object, "another party's condition was wiped");
}

// ---- requests ----

Oracle::Process* Oracle::ProcessOf(const Replica& replica) {
  return &processes_[replica.ProcessId()];
}

void Oracle::OnStart(const Replica& replica) {
  Process& process = *ProcessOf(replica);
  process.replica = replica.Index();
  process.started = world_.Now();
  // It takes over what the others say: since when beats have come through without a stop. One that
  // has seen them all the time is enough.
  Nanos said = Nanos::max();
  for (const auto& [id, each] : processes_) {
    if (each.alive && &each != &process) said = std::min(said, each.blind);
  }
  process.blind = said == Nanos::max() ? world_.Now() : said;
  OnRate(replica, replica.Rate());
}

void Oracle::OnRate(const Replica& replica, double rate) {
  double& fastest = ProcessOf(replica)->fastest;
  fastest = std::max(fastest, rate);
  ProcessOf(replica)->slowest = std::min(ProcessOf(replica)->slowest, rate);
}

void Oracle::OnSightAgain(const Replica& replica) { ProcessOf(replica)->blind = world_.Now(); }

void Oracle::OnDeath(const Replica& replica) { ProcessOf(replica)->alive = false; }

void Oracle::OnExit(const Replica& replica, ExitCause cause) {
  if (cause == ExitCause::kNamespaceMissing) {
    world_.Fail("X", "replica " + std::to_string(replica.Index()) + " says its namespace is gone");
  }
}

void Oracle::OnLeaseWritten(const Replica& replica, std::uint64_t process, const Call& call,
                            Nanos sent) {
  if (process != replica.Process()) return;
  if (call.target.find("/leases") == std::string::npos) return;
  if (TextIn(call.body, "holderIdentity") != replica.Identity()) return;
  const LeaderElection& timing = replica.Configured().election;
  // A clock that runs slow shows less than has passed.
  const auto shown = static_cast<double>(Nanos(timing.renew_deadline).count()) / replica.Rate();
  const Nanos valid = std::max(Nanos(timing.lease), Nanos(static_cast<Nanos::rep>(shown)));
  ProcessOf(replica)->leads_until = sent + valid;
}

void Oracle::OnSend(const Replica& replica, const Call& call, RequestClass klass) {
  Process& process = *ProcessOf(replica);
  process.sent.push_back(world_.Now());
  std::erase_if(process.sent, [&](Nanos at) { return at < world_.Now() - kRequestsWithin; });
  if (process.sent.size() > kRequestsMax) {
    world_.Fail("I14", "replica " + std::to_string(replica.Index()) + " floods the API server");
  }
  if (klass != RequestClass::kData || call.method == Method::kGet) return;
  const bool leads = process.leads_until && world_.Now() <= *process.leads_until;
  // A Lease stands a clock that is slower by the part of it that is kept in reserve, and no more.
  const LeaderElection& election = replica.Configured().election;
  const auto reserve = static_cast<double>(election.renew_deadline.count()) /
                       static_cast<double>(election.lease.count());
  const bool too_slow = process.slowest < reserve;
  if (replica.Index() != kRogue && !leads && !replica.Delayed() && !too_slow) {
    world_.Fail("I8", "replica " + std::to_string(replica.Index()) +
                          " writes without the Lease: " + call.target);
  }
  // Whose write it was does not stand on the object: when two write the same end of a retry, and
  // one of them gets no answer, it can't be told.
  if (call.body.find("\"retry\":{\"state\"") != std::string::npos) {
    retry_writers_[call.target].insert(replica.ProcessId());
  }
  if (call.body.find("\"verdictID\"") == std::string::npos &&
      call.body.find("/status/verdictID") == std::string::npos) {
    return;
  }
  CheckSentVerdict(replica, call);
}

// I4, and I10 as far as it forbids even to try.
void Oracle::CheckSentVerdict(const Replica& replica, const Call& call) {
  const std::string key = RunIn(call.target);
  const std::string who = key.substr(0, 30) + " by replica " + std::to_string(replica.Index());
  if (replica.Configured().reaping != Reaping::kEnabled && !replica.Delayed()) {
    world_.Fail("I4", "a verdict in spite of the switch on " + who);
  }
  if (call.body.starts_with('[')) {
    const bool whoever_beats = call.body.find("DeadlineExceeded") != std::string::npos ||
                               call.body.find("Cancelled") != std::string::npos ||
                               call.body.find("BackstopExceeded") != std::string::npos;
    if (!whoever_beats) world_.Fail("I4", "a verdict of silence without a version on " + who);
  } else {
    const std::string version = TextIn(call.body, "resourceVersion");
    const auto& delivered = ProcessOf(replica)->delivered;
    const auto known = delivered.find(KeyOf(key));
    if (version.empty() || version == "0") {
      world_.Fail("I4", "a verdict without a version on " + who);
    } else if (known == delivered.end() || std::stoull(version) > known->second.version) {
      world_.Fail("I4", "a verdict on a version that was never seen on " + who);
    }
  }
  const Process* const process = ProcessOf(replica);
  if (replica.Delayed() || replica.Rate() != 1.0) return;
  const ObjectPtr run = world_.server.Find(Kind::kRun, key);
  if (run == nullptr) return;
  const Nanos interval = SecondsIn(*run, "heartbeat", "intervalSeconds").value_or(seconds(30));
  const Nanos period = replica.Configured().canary.period;
  for (const Outage& outage : outages_) {
    // A beat that comes late is seen in the middle of an outage, and parts it.
    Nanos from = outage.from;
    // Of another replica, too: what its canary says of the time before is believed.
    for (const auto& [id, each] : processes_) {
      for (const Nanos late : each.late_beats) {
        if (late <= outage.to) from = std::max(from, late);
      }
    }
    const Nanos length = outage.to - from;
    if (length <= 4 * period) continue;
    // A stop is as long as the own clock shows, and so is the grace.
    const Nanos shown = Slower(length, process->slowest);
    const Nanos grace =
        Faster(std::min(shown, replica.Configured().grace.intervals * interval), process->fastest);
    // A beat of just before it was on its way for a moment; who starts in it has the last one's
    // stamp, to a second, and compares it with the server's clock, as exactly.
    Nanos until = outage.to + grace - 2 * world_.plan.latency;
    if (process->started > from) until -= seconds(2);
    const bool within = world_.Now() > from + 3 * period && world_.Now() < until;
    if (within)
      world_.Fail("I10", "a verdict while nobody could write, or shortly after, on " + who);
  }
}

void Oracle::OnAnswer(const Replica& replica, const Call& call, const Reply& reply) {
  if (reply.status != 200 && reply.status != 201) return;
  if (call.target.find("/jobruns") == std::string::npos) return;
  // One object or a list of them, as Object::Render writes them.
  constexpr std::string_view kNamespace = R"(","namespace":")";
  constexpr std::string_view kVersion = R"(","resourceVersion":")";
  Process& process = *ProcessOf(replica);
  const std::string_view body = reply.body;
  for (std::size_t at = body.find(kNamespace); at != std::string_view::npos;
       at = body.find(kNamespace, at + 1)) {
    const std::size_t name = body.rfind('"', at - 1) + 1;
    const std::size_t space = at + kNamespace.size();
    const std::size_t end = body.find('"', space);
    if (body.substr(end, kVersion.size()) != kVersion) continue;
    std::string key(body.substr(space, end - space));
    key.append("/").append(body.substr(name, at - name));
    Deliver(process, key, std::stoull(std::string(body.substr(end + kVersion.size(), 20))));
  }
}

void Oracle::Deliver(Process& process, std::string_view key, std::uint64_t version) const {
  const auto [known, is_new] = process.delivered.try_emplace(KeyOf(key));
  if (is_new) known->second.first = world_.Now();
  known->second.version = std::max(known->second.version, version);
}

void Oracle::NoteLateBeat(Process& process, const Event& event) const {
  if (event.run.lane != "jobrun-canary") return;
  const auto& history = world_.server.History();
  const auto change =
      std::ranges::lower_bound(history, event.run.resource_version, {}, &Change::version);
  if (change == history.end()) return;
  const Nanos age = world_.Now() - change->at;
  if (age > Nanos(world_.plan.settings.canary.period)) process.late_beats.push_back(world_.Now());
}

void Oracle::OnEvents(const Replica& replica, const std::vector<Event>& events) {
  Process& process = *ProcessOf(replica);
  std::string key;
  for (const Event& event : events) {
    if (event.run.resource_version == 0 || event.run.name.empty()) continue;
    key.assign(event.run.name_space).append("/").append(event.run.name);
    Deliver(process, key, event.run.resource_version);
    NoteLateBeat(process, event);
  }
}

// ---- I15 ----

void Oracle::OnCount(const Replica& replica, const Count& count) {
  if (count.metric == Metric::kSilenceStops) ProcessOf(replica)->blind = world_.Now();
  if (count.metric != Metric::kReaps && count.metric != Metric::kFinalized &&
      count.metric != Metric::kRetries) {
    return;
  }
  Process& process = *ProcessOf(replica);
  const std::string who = "replica " + std::to_string(replica.Index());
  if (count.metric == Metric::kReaps) {
    const auto reason = static_cast<Reason>(count.label);
    process.reaps[reason] += count.value;
    if (process.reaps[reason] > process.committed[reason]) {
      world_.Fail("I15", who + " counts a reap that was none of its own, or twice");
    }
  } else if (count.metric == Metric::kFinalized) {
    process.finalized += count.value;
    if (process.finalized > process.finalized_committed) {
      world_.Fail("I15", who + " counts an end that was none of its own, or twice");
    }
  } else {
    retries_counted_ += count.value;
    const double unclear = static_cast<double>(
        std::ranges::count_if(retry_writers_, [](const auto& of) { return of.second.size() > 1; }));
    if (retries_counted_ > retries_settled_ + unclear)
      world_.Fail("I15", who + " counts a retry twice");
  }
}

void Oracle::CheckCounters(const std::vector<Replica*>& alive) {
  double lost = 0;  // of runs that are gone nothing may have been seen any more
  for (const auto& [uid, facts] : runs_) lost += facts.gone || facts.restored ? 1 : 0;
  for (const Replica* replica : alive) {
    Process& process = *ProcessOf(*replica);
    double missing = process.finalized_committed - process.finalized;
    for (const auto& [reason, count] : process.committed) missing += count - process.reaps[reason];
    if (missing > lost) {
      world_.Fail("I15", "replica " + std::to_string(replica->Index()) + " has not counted " +
                             std::to_string(static_cast<int>(missing)) + " of its verdicts");
    }
  }
}

}  // namespace jobrun::simulation
