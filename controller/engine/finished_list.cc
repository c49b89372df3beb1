#include "controller/engine/finished_list.h"

#include <algorithm>
#include <utility>

#include "controller/engine/answers.h"
#include "controller/wire/http_status.h"
#include "controller/wire/managed_fields.h"

namespace jobrun {
namespace {

constexpr Nanos kFirstRound = std::chrono::seconds(30);
constexpr Nanos kPageDeadline = std::chrono::seconds(60);
constexpr Nanos kHoldMax = std::chrono::minutes(1);
// As for lists without a reason (collection_watch.cc).
constexpr Nanos kEveryPerRun = std::chrono::milliseconds(36);
constexpr Nanos kEveryMax = std::chrono::hours(1);
// A stamp may be another API server's, and is cut to the second; a page is some time under way.
constexpr std::chrono::seconds kStampSlack{60};

// Of these the watch tells.
bool OwesRetry(const ObservedRun& run) {
  if (run.phase == Phase::kSucceeded) return false;
  return !run.retry_state || run.retry_state == RetryState::kPending;
}

}  // namespace

FinishedList::FinishedList(const Parts& parts, std::vector<WatchScope> scopes)
    : core_(parts.core),
      intake_(parts.intake),
      outbox_(parts.outbox),
      departures_(parts.departures),
      decoder_(parts.decoder),
      scopes_(std::move(scopes)) {
  for (WatchScope& scope : scopes_) {
    scope.field_selector = BothFields(std::move(scope.field_selector), kOverFields);
  }
}

bool FinishedList::IsNeeded() const {
  return !stopping_ && core_.leading && core_.Selects() && core_.now.server.Known() &&
         std::ranges::find(core_.runs_synced, false) == core_.runs_synced.end();
}

Nanos FinishedList::Every(std::size_t runs) const {
  const auto many = static_cast<std::int64_t>(runs) * kEveryPerRun;
  return std::max<Nanos>(core_.settings.watch.relist, std::min<Nanos>(many, kEveryMax));
}

void FinishedList::Pump() {
  if (!IsNeeded()) {
    next_.reset();
    request_ = 0;  // an answer that is to come is nobody's any more
    return;
  }
  const Mono now = core_.now.mono;
  if (!next_) {
    // What was stamped before it led was another's to count.
    disputes_since_ = core_.now.server.earliest;
    next_ = now + FirstRound();
  }
  if (request_ == 0 && now >= *next_) Begin();
}

void FinishedList::OnSettings() {
  if (next_) next_ = std::min(*next_, core_.now.mono + FirstRound());
}

Nanos FinishedList::FirstRound() const {
  return std::min<Nanos>(kFirstRound, core_.settings.watch.relist / 2);
}

std::optional<Mono> FinishedList::NextWake() const { return request_ == 0 ? next_ : std::nullopt; }

void FinishedList::Begin() {
  scope_ = 0;
  continue_.clear();
  began_ = core_.now.server.earliest;
  seen_ = taken_ = 0;
  RequestPage();
}

void FinishedList::RequestPage() {
  Request request{
      .klass = RequestClass::kControl,
      .method = Method::kGet,
      .target = ListTarget(scopes_[scope_], {.limit = page_objects_, .continue_token = continue_}),
      .accepts_gzip = core_.settings.watch.gzip,
      .deadline = kPageDeadline};
  request.id = request_ = core_.next_id++;
  core_.Emit(std::move(request));
}

void FinishedList::OnResponse(const Response& response) {
  request_ = 0;
  if (!IsNeeded()) return;
  if (response.status != kHttpOk) return GiveUp(response);
  OnPage(response);
}

void FinishedList::OnPage(const Response& response) {
  const auto each = [this](const Event& event) { Take(event); };
  const Result<EventDecoder::Page> page =
      decoder_.DecodePage(response.body, each, response.body.capacity());
  const bool repeats = page && !page->continue_token.empty() && page->continue_token == continue_;
  if (!page || repeats) return GiveUp(response);
  continue_ = page->continue_token;
  if (continue_.empty() && ++scope_ == scopes_.size()) return End();
  RequestPage();
}

void FinishedList::End() {
  seen_before_ = seen_;
  failures_ = 0;
  disputes_since_ = std::max(disputes_since_, began_ - kStampSlack);
  // A round that could not take all of them in is soon followed by another.
  const Nanos every = Every(taken_ < kTakenMax ? seen_ : 0);
  const auto spread = static_cast<std::uint64_t>(every.count()) / 4 + 1;
  next_ = core_.now.mono + every + Nanos(core_.random.Below(spread));
  core_.Emit(LogLine{LogLevel::kDebug,
                     "looked through the finished runs",
                     {{"runs", std::to_string(seen_)}, {"to_be_deleted", std::to_string(taken_)}}});
}

// What it has taken in by then stays; the next round begins with the first page.
void FinishedList::GiveUp(const Response& response) {
  core_.Emit(LogLine{LogLevel::kWarn,
                     "can't look through the finished runs; it is tried again",
                     {{"status", std::to_string(response.status)}, {"error", WordsOf(response)}}});
  if (response.too_large) page_objects_ = std::max(1, page_objects_ / 4);
  next_ = core_.now.mono + HoldWait(5 + failures_++, kHoldMax, core_.random);
}

void FinishedList::Take(const Event& event) {
  const ObservedRun& run = event.run;
  if (event.type == EventType::kInvalid || !IsTerminal(run.phase) || core_.IsCanary(run)) return;
  ++seen_;
  const bool known = OwesRetry(run) || core_.store.Find(run.uid) != kNoSlot;
  if (known && run.late_heartbeat.empty()) return;
  const Result<Thresholds> thresholds = decoder_.DecodeThresholds(run.spec_json);
  if (!thresholds) return;
  RunRecord record;
  record.policy = core_.policies.Acquire(run.lane, *thresholds);
  if (!run.late_heartbeat.empty()) NoteDispute(record.policy, run);
  const std::optional<ServerTime> due = outbox_.DeletedAt(core_.PolicyOf(record), run);
  core_.policies.Release(record.policy);
  const Nanos soon = 2 * Every(std::max(seen_before_, seen_));
  const bool deletes =
      !known && due && !run.being_deleted && *due - core_.now.server.earliest <= soon;
  if (deletes && taken_ < kTakenMax) Adopt(run);
}

void FinishedList::Adopt(const ObservedRun& run) {
  const auto scope = static_cast<std::uint8_t>(scope_);
  const Slot slot = intake_.Observe(run, Source::kList, scope, 0).slot;
  if (slot == kNoSlot) return;
  ++taken_;
  outbox_.OnSeen(slot, run);
  departures_.Keep(slot);
}

// Counted where its stamp says that it came while this controller led; whoever led before has
// counted the others, or nobody did.
void FinishedList::NoteDispute(PolicyId policy, const ObservedRun& run) {
  const std::optional<ServerTime> stamp = LateBeatStamp(run.managed_fields);
  if (!stamp || *stamp < disputes_since_) return;
  RunRecord record;
  record.uid = run.uid;
  record.policy = policy;
  record.resource_version = run.resource_version;
  record.name_space = core_.namespaces.Intern(run.name_space);
  const std::string name(run.name);
  record.name = name.c_str();
  intake_.CountDispute(record, run);
}

}  // namespace jobrun
