#include "worker/cli/run_follower.h"

#include "controller/base/real_clock.h"
#include "worker/cli/identity.h"

namespace jobrun {

RunFollower::RunFollower(ApiClient& client, WatchScope scope, RunListener& listener)
    : client_(client),
      scope_(std::move(scope)),
      listener_(listener),
      wake_(client.Loop()),
      reflector_(*this,
                 {.if_missing = "it is not installed there: kubectl apply -f crds/jobruns.yaml",
                  .if_forbidden = "list and watch on jobruns.jobrun.dev are needed"},
                 Seed()) {}

RunFollower::~RunFollower() {
  client_.Close(stream_);
  if (request_ != 0) client_.Forget(request_);
}

void RunFollower::Start() {
  reflector_.Start(ReadClocks().mono);
  Turned();
}

std::string RunFollower::ListTarget(const ListOptions& options) const {
  return jobrun::ListTarget(scope_, options);
}

std::string RunFollower::WatchTarget(const WatchOptions& options) const {
  return jobrun::WatchTarget(scope_, options);
}

Result<EventDecoder::Page> RunFollower::ReadPage(const std::string& body) {
  return decoder_.DecodePage(
      body, [this](const Event& event) { OnEvent(event, true); }, body.capacity());
}

RequestId RunFollower::Send(Request request) {
  request.klass = RequestClass::kData;
  request_ = client_.Send(std::move(request), [this](const Response& answer) {
    request_ = 0;
    reflector_.OnResponse(answer, ReadClocks().mono);
    Turned();
  });
  return request_;
}

StreamId RunFollower::Open(OpenStream stream) {
  stream_ = client_.Open(std::move(stream), *this);
  return stream_;
}

void RunFollower::Close(StreamId stream) { client_.Close(stream); }

void RunFollower::OnListing() {
  for (auto& [uid, run] : known_) run.seen = false;
}

void RunFollower::OnReplaced() {
  std::erase_if(known_, [this](const auto& each) {
    if (each.second.seen) return false;
    listener_.OnRun({.name_space = each.second.name_space,
                     .name = each.second.name,
                     .uid = each.first,
                     .readable = false,
                     .deleted = true},
                    false);
    return true;
  });
}

void RunFollower::OnEvent(const Event& event, bool) {
  const RunRow row = RowOf(event);
  if (row.deleted) {
    if (known_.erase(row.uid) > 0) listener_.OnRun(row, false);
    return;
  }
  const auto [found, is_new] = known_.try_emplace(row.uid, Known{row.name_space, row.name});
  found->second.seen = true;
  // A list that is taken again tells all of them again.
  if (std::exchange(found->second.resource_version, row.resource_version) == row.resource_version &&
      !is_new) {
    return;
  }
  listener_.OnRun(row, is_new);
}

void RunFollower::OnProblem(std::string_view problem) {
  if (problem.empty()) {
    client_.Log().Write({LogLevel::kInfo, "the runs can be watched again"});
  } else {
    client_.Log().Write({LogLevel::kWarn,
                         "the runs can't be watched; trying again",
                         {{"error", std::string(problem)}}});
  }
}

void RunFollower::OnStreamOpened(const StreamOpened& opened) {
  reflector_.OnOpened(opened, ReadClocks().mono);
  Turned();
}

void RunFollower::OnStreamEvents(const StreamEvents& events) {
  reflector_.OnEvents(events, ReadClocks().mono);
  Turned();
}

void RunFollower::OnStreamClosed(const StreamClosed& closed) {
  reflector_.OnClosed(closed, ReadClocks().mono);
  Turned();
}

// After whatever the reflector was told.
void RunFollower::Turned() {
  if (const auto next = reflector_.NextWake()) {
    wake_.Set(*next, [this] {
      reflector_.OnWake(ReadClocks().mono);
      Turned();
    });
  } else {
    wake_.Clear();
  }
  listener_.OnTurn(reflector_.Synced());
}

}  // namespace jobrun
