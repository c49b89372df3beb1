// Holds every single request of the engine to the soak's model, at the moment when it is sent: what
// is written, whether it may be, and whether it is neither early nor late.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "tests/engine/soak_server.h"

namespace jobrun {

class SoakChecks {
 public:
  // How far behind the server's clock may be known to be: the resolution of `Date`, and an answer's
  // way.
  static constexpr Nanos kServerClock = std::chrono::seconds(3);
  // How late a due rule may be seen: the `Date` header's second, two intervals after an edit.
  static constexpr Nanos kSlack = std::chrono::seconds(12);

  SoakChecks(const SoakApi& api, const Settings& settings) : api_(api), settings_(settings) {}

  // From here on nothing may be late.
  void Settle(Mono at) { settled_ = at; }
  [[nodiscard]] Mono Settled() const { return settled_; }
  // How late a verdict may be written once it is due: one a second, and of all who came due at
  // once.
  [[nodiscard]] Nanos Queue() const { return std::chrono::seconds(4 + api_.All().size()); }
  // Retries that the engine itself was told to be settled, by the lower half of the uid.
  [[nodiscard]] const std::set<std::uint64_t>& Witnessed() const { return witnessed_; }

  void OnRequest(const Request& request) {
    if (request.klass != RequestClass::kData) return;
    if (request.method == Method::kPatch) CheckPatch(request);
    if (request.method == Method::kPost) CheckPost(request);
    if (request.method == Method::kDelete) CheckDelete(request);
  }

  void OnAnswer(const Request& request, const SoakServer::Answer& answer) {
    if (request.klass != RequestClass::kData || answer.status != 200) return;
    const std::uint64_t uid = ParseUid(TextField(answer.body, "uid")).value_or(Uid{}).low;
    if (request.method == Method::kPatch) {
      const std::string state = TextField(Between(answer.body, "\"retry\":{", "}"), "state");
      if (!state.empty() && state != "Pending") witnessed_.insert(uid);
    } else if (request.method == Method::kGet && !SoakServer::NamesARun(request)) {
      listed_.insert_or_assign(SoakServer::KeyIn(request.target), answer.body);
    } else if (request.method == Method::kGet) {
      read_.insert_or_assign(uid, std::stoul(TextField(answer.body, "resourceVersion")));
    }
  }

 private:
  // The version that the request was judged on; null fails the test.
  [[nodiscard]] const SoakRun* Judged(const Request& request) const {
    const std::string version = TextField(request.body, "resourceVersion");
    const auto judged = version.empty() ? api_.Log().end() : api_.Log().find(std::stoul(version));
    EXPECT_NE(judged, api_.Log().end()) << request.body;
    if (judged == api_.Log().end()) return nullptr;
    const SoakRun& run = judged->second.run;
    EXPECT_EQ(run.object.name, SoakServer::NameIn(request.target));
    return &run;
  }
  // Otherwise a write can't commit any more.
  [[nodiscard]] bool IsNewest(const SoakRun& run) const {
    const auto found = api_.All().find(run.object.name);
    return found != api_.All().end() && found->second.object.version == run.object.version;
  }

  // ---- patches ----

  void CheckPatch(const Request& request) {
    if (request.body.starts_with('[')) return CheckJsonPatch(request);
    const SoakRun* const run = Judged(request);
    if (run == nullptr) return;
    EXPECT_TRUE(SoakModel(*run, settings_).MayBeWritten()) << request.body;
    if (!IsNewest(*run)) return;
    if (!TextField(request.body, "phase").empty()) return CheckVerdict(*run, request);
    if (TextField(request.body, "startTime").empty() && run->retry.state.empty())
      CheckDecision(*run, run->object.reason, request);
  }

  void CheckJsonPatch(const Request& request) {
    const auto found = api_.All().find(SoakServer::NameIn(request.target));
    if (found == api_.All().end()) return;
    const auto merged = SoakServer::Merged(found->second, request.body);
    if (!merged) return;  // it can't commit
    Request same = request;
    same.body = *merged;
    CheckPatch(same);
  }

  void CheckVerdict(const SoakRun& run, const Request& request) {
    const Mono now = api_.Now();
    const std::string name = TextField(request.body, "reason");
    const auto reason = ParseReason(name);
    ASSERT_TRUE(reason) << request.body;
    const Phase phase = Info(*reason).phase;
    EXPECT_EQ(TextField(request.body, "phase"), PhaseName(phase));
    const SoakModel model(run, settings_);
    const auto limit = model.LimitOf(*reason);
    ASSERT_TRUE(limit) << request.body << "\nfor " << run.object.Json();
    const Nanos early = limit->Due() - now;
    EXPECT_LE(early, Nanos::zero()) << request.body << "\nfor " << run.object.Json();
    CheckTheDeadlineIsNotPassedOver(model, run, *reason);
    if (phase != Phase::kSucceeded) CheckDecision(run, name, request);
    if (now < settled_) return;
    for (std::size_t i = 0; i < kReasonCount; ++i) {
      const auto rival = model.LimitOf(static_cast<Reason>(i));
      if (!rival) continue;
      const Nanos late = now - std::max(rival->since, settled_) - rival->limit;
      EXPECT_LE(late, RowOf(i) < RowOf(std::size_t(*reason)) ? kSlack : kSlack + Queue())
          << kReasons.at(i).name << " in vain, for " << name << " of " << run.object.Json();
    }
  }

  // The place in the table of verdicts.
  static std::size_t RowOf(std::size_t reason) {
    return static_cast<Reason>(reason) == Reason::kFinalizedByController
               ? static_cast<std::size_t>(Reason::kExitNonZero)
               : reason;
  }

  // Once the start is recorded the engine knows it as well as we do, but for the server's clock.
  void CheckTheDeadlineIsNotPassedOver(const SoakModel& model, const SoakRun& run,
                                       Reason by) const {
    const auto deadline = model.LimitOf(Reason::kDeadlineExceeded);
    const auto start = ParseRfc3339(run.object.start_time);
    if (!deadline || !start || by == Reason::kDeadlineExceeded) return;
    const Nanos overdue = api_.ServerNow() - *start - deadline->limit;
    EXPECT_LT(overdue, kServerClock) << Info(by).name << " for " << run.object.Json();
  }

  void CheckDecision(const SoakRun& run, const std::string& reason, const Request& request) const {
    const SoakModel model(run, settings_);
    const std::string text = Between(request.body, "\"retry\":{", "}");
    const auto right = static_cast<std::size_t>(model.RightRetry(reason));
    EXPECT_EQ(TextField(text, "state"), kRetryStateNames.at(right))
        << request.body << "\nfor " << run.object.Json();
    if (right != 0) return;
    const auto not_before = ParseRfc3339(TextField(text, "notBeforeTime"));
    ASSERT_TRUE(not_before) << text;
    const Nanos wait = *not_before - api_.ServerNow();
    EXPECT_GE(wait, model.RetryWait()) << text;
    EXPECT_LE(wait, model.RetryWait() * 11 / 10 + kServerClock + kServerClock) << text;
    const std::string digits = FormatUid(run.object.uid).substr(26);
    EXPECT_TRUE(TextField(text, "successorName").ends_with("-" + digits)) << text;
  }

  // ---- successors ----

  // The run of that uid as the engine has read it last.
  [[nodiscard]] const SoakRun* LastRead(Uid uid) const {
    const auto read = read_.find(uid.low);
    EXPECT_NE(read, read_.end()) << FormatUid(uid) << " was not read";
    return read == read_.end() ? nullptr : &api_.Log().at(read->second).run;
  }

  void CheckPost(const Request& request) {
    SoakRun successor = SoakServer::SuccessorIn(request.body);
    const SoakRun* const parent = LastRead(successor.parent);
    if (parent == nullptr) return;
    EXPECT_TRUE(SoakModel(*parent, settings_).MayBeWritten()) << request.body;
    EXPECT_TRUE(parent->MayBeRetried() && !parent->object.deleting) << parent->object.Json();
    EXPECT_EQ(parent->retry.state, "Pending");
    EXPECT_EQ(parent->retry.name, successor.object.name);
    EXPECT_EQ(parent->object.name, successor.retry_of);
    EXPECT_EQ(parent->object.lane, successor.object.lane);
    EXPECT_EQ(parent->key, successor.key);
    EXPECT_EQ(parent->Attempt() + (parent->object.reason == "HandedBack" ? 0 : 1),
              successor.attempt);
    EXPECT_EQ(soak_text::Thresholds(parent->spec), soak_text::Thresholds(successor.spec));
    EXPECT_FALSE(successor.cancelled);
    EXPECT_GE(api_.ServerNow(), ParseRfc3339(parent->retry.not_before)) << request.body;
    if (!successor.key.empty()) CheckThatTheKeyIsFree(*parent);
  }

  // Each creation has a list of its own.
  void CheckThatTheKeyIsFree(const SoakRun& parent) {
    const auto listed = listed_.extract(parent.key);
    ASSERT_FALSE(listed.empty()) << parent.key << " was not listed";
    std::string text = listed.mapped();
    for (std::size_t at = 0; (at = text.find("\"creationTimestamp\"", at)) != std::string::npos;
         ++at) {
      const std::size_t end = text.find("\"spec\"", at);
      EXPECT_NE(text.substr(at, end - at).find("deletionTimestamp"), std::string::npos)
          << "another run is active: " << text;
    }
  }

  void CheckDelete(const Request& request) {
    const SoakRun* const run = Judged(request);
    if (run == nullptr) return;
    EXPECT_EQ(TextField(request.body, "uid"), FormatUid(run->object.uid));
    if (run->IsActive()) {  // a twin: its parent's policy counts
      const SoakRun* const parent = LastRead(run->parent);
      if (parent == nullptr) return;
      EXPECT_TRUE(SoakModel(*parent, settings_).MayBeWritten()) << request.body;
      EXPECT_EQ(parent->retry.state, "Pending");
      return;
    }
    const SoakModel model(*run, settings_);
    EXPECT_TRUE(model.MayBeWritten()) << request.body;
    if (!IsNewest(*run)) return;
    EXPECT_TRUE(run->Is(Phase::kSucceeded) || run->retry.IsSettled()) << run->object.Json();
    const auto from = model.MayBeDeletedAt(SoakApi::TimeAt(run->ended));
    ASSERT_TRUE(from) << run->object.Json();
    EXPECT_GE(api_.ServerNow(), *from) << run->object.Json();
  }

  const SoakApi& api_;
  const Settings& settings_;
  Mono settled_{Mono::max()};
  std::set<std::uint64_t> witnessed_;
  std::map<std::uint64_t, std::uint64_t> read_;  // versions by uid
  std::map<std::string, std::string> listed_;    // bodies by key
};

}  // namespace jobrun
