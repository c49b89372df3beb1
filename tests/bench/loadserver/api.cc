#include "tests/bench/loadserver/api.h"

#include <algorithm>
#include <charconv>

#include "tests/bench/loadserver/answers.h"

namespace jobrun::bench {
namespace {

constexpr std::string_view kRoot = "/apis/jobrun.dev/v1/";
constexpr std::string_view kRuns = "jobruns";
constexpr std::string_view kEvents = "/apis/events.k8s.io/v1/namespaces/";
constexpr Nanos kBookmarkEvery = std::chrono::seconds(60);
// Initial events are made as fast as the client takes them, and no further ahead than this.
constexpr std::size_t kAheadBytes = 256 * 1024;
constexpr std::uint32_t kBatchRuns = 32;  // of initial events between two looks at what waits
constexpr std::string_view kSelector = "fieldSelector";

std::uint64_t NumberIn(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The run in ".../namespaces/NS/jobruns/NAME" or with "/status" behind it; kRunsMax + 1 for other
// paths.
std::uint32_t RunIn(std::string_view path) {
  if (path.ends_with("/status")) path.remove_suffix(7);
  const std::size_t slash = path.rfind('/');
  if (!path.substr(0, slash).ends_with(kRuns)) return kRunsMax + 1;
  return RunText::NumberOf(path.substr(slash + 1));
}

}  // namespace

void Api::OnClosed(Connection& connection) {
  watches_.erase(&connection);
  canaries_.OnClosed(connection);
  for (Write& write : writes_) {
    if (write.from == &connection) write.from = nullptr;
  }
}

void Api::OnRequest(Connection& from, const HttpRequest& request, Workload::Time now) {
  // Kubernetes Events are taken and forgotten.
  if (request.method == "POST" && request.path.starts_with(kEvents)) {
    ++counts_.told;
    return Answer(from, 201, "{}", now.wall);
  }
  if (ElectionLeases::Concerns(request)) return leases_.Answer(from, request, now);
  const bool ours = request.path.starts_with(kRoot);
  if (ours && CanaryRuns::Concerns(request)) {
    return canaries_.Answer(from, request, options_.watch_lists, now);
  }
  const bool get = request.method == "GET";
  if (ours && get && request.path.ends_with(kRuns)) {
    return request.Parameter("watch") == "true" ? StartWatch(from, request, now)
                                                : List(from, request, now);
  }
  const std::uint32_t number = ours ? RunIn(request.path) : kRunsMax + 1;
  const bool gone = number < workload_.Runs() && !workload_.Exists(number);
  if (gone) return Refuse(from, 404, "NotFound", now.wall);
  if (number >= workload_.Runs()) {
    ++counts_.others;
    return Refuse(from, 404, "NotFound", now.wall);
  }
  if (get) return Read(from, number, now);
  if (request.method == "PATCH" && request.path.ends_with("/status")) {
    return Patch(from, number, request, now);
  }
  ++counts_.others;
  Refuse(from, 405, "MethodNotAllowed", now.wall);
}

void Api::StartWatch(Connection& from, const HttpRequest& request, Workload::Time now) {
  const bool initial = request.Parameter("sendInitialEvents") == "true";
  if (initial && !options_.watch_lists) return Refuse(from, 422, "Invalid", now.wall);
  const auto selector = FieldSelector::Parse(request.Parameter(kSelector));
  if (!selector) return Refuse(from, 400, "BadRequest", now.wall);
  ++counts_.watches;
  const std::uint64_t asked = NumberIn(request.Parameter("resourceVersion"));
  watches_[&from] = Watch{.phase = initial ? Phase::kInitial : Phase::kReplay,
                          .from = initial ? workload_.Version() : asked,
                          .bookmark_due = now.mono + kBookmarkEvery,
                          .selector = *selector};
  from.Write(Head(200, "Transfer-Encoding: chunked", now.wall));
  Continue(from, now);
}

// What a watch that is not in step is told of this run.
void Api::AppendInitial(std::uint32_t number, Watch& watch, Workload::Time now) {
  if (!workload_.Exists(number)) return;
  if (watch.phase == Phase::kInitial) workload_.FirstTold(number, now);
  const RunFields run = workload_.Fields(number);
  if (!watch.selector.Selects(run)) return;
  if (watch.phase == Phase::kInitial) {
    ++counts_.initial_events;
    text_.AppendChunk(RunText::Event::kAdded, run, scratch_);
  } else if (run.version > watch.from) {
    text_.AppendChunk(RunText::Event::kModified, run, scratch_);
  }
}

void Api::Continue(Connection& connection, Workload::Time now) {
  const auto found = watches_.find(&connection);
  if (found == watches_.end()) return (void)connection.Flush();
  Watch& watch = found->second;
  while (watch.phase != Phase::kLive && connection.Pending() < kAheadBytes) {
    scratch_.clear();
    const std::uint32_t end = std::min(watch.next + kBatchRuns, workload_.Runs());
    for (; watch.next < end; ++watch.next) AppendInitial(watch.next, watch, now);
    connection.Write(scratch_);
    if (end == workload_.Runs()) {
      if (watch.phase == Phase::kInitial) Bookmark(connection, watch.from, true);
      watch.phase = watch.phase == Phase::kInitial ? Phase::kReplay : Phase::kLive;
      watch.next = 0;
      if (watch.phase == Phase::kLive && !workload_.Begun()) workload_.Begin(now.mono);
    }
    (void)connection.Flush();
  }
  (void)connection.Flush();
}

void Api::Bookmark(Connection& to, std::uint64_t version, bool initial_events_end) {
  std::string line =
      R"({"type":"BOOKMARK","object":{"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{)";
  if (initial_events_end) line += R"("annotations":{"k8s.io/initial-events-end":"true"},)";
  line += R"("creationTimestamp":null,"resourceVersion":")" + std::to_string(version) + "\"}}}\n";
  to.Write(Chunk(line));
}

// To every watch that has been told of this run, or of everything. One that its selector does not
// select any more is told as deleted.
void Api::Tell(std::uint32_t number, RunText::Event event) {
  const RunFields run = workload_.Fields(number);
  for (auto& [connection, watch] : watches_) {
    const bool told =
        watch.phase == Phase::kLive || (watch.phase == Phase::kReplay && number < watch.next);
    const bool selected = watch.selector.Selects(run);
    if (!told || (!selected && event != RunText::Event::kModified)) continue;
    scratch_.clear();
    text_.AppendChunk(selected ? event : RunText::Event::kDeleted, run, scratch_);
    connection->Write(scratch_);  // a record of its own: the API server flushes every event
    ++counts_.events;
  }
}

void Api::Tick(Workload::Time now) {
  workload_.Advance(now,
                    [this](std::uint32_t number, RunText::Event event) { Tell(number, event); });
  for (auto& [connection, watch] : watches_) {
    if (watch.phase == Phase::kLive && now.mono >= watch.bookmark_due) {
      watch.bookmark_due = now.mono + kBookmarkEvery;
      Bookmark(*connection, workload_.Version(), false);
    }
    // Of one that is not in step there may be nothing left to send that a wake-up for room could
    // wait for.
    Continue(*connection, now);
    counts_.pending_max = std::max<std::uint64_t>(counts_.pending_max, connection->Pending());
  }
}

void Api::List(Connection& from, const HttpRequest& request, Workload::Time now) {
  const auto selector = FieldSelector::Parse(request.Parameter(kSelector));
  if (!selector) return Refuse(from, 400, "BadRequest", now.wall);
  ++counts_.lists;
  const std::uint64_t limit = NumberIn(request.Parameter("limit"));
  // Where it goes on, and the version of the first page: a watch from there misses nothing.
  const std::string_view token = request.Parameter("continue");
  const std::uint64_t start = NumberIn(token);
  const std::uint64_t version =
      token.empty() ? workload_.Version() : NumberIn(token.substr(token.find('.') + 1));
  const std::uint64_t runs = workload_.Runs();
  std::string body = R"({"apiVersion":"jobrun.dev/v1","items":[)";
  std::uint64_t at = start;
  for (std::uint64_t told = 0; at < runs && (limit == 0 || told < limit); ++at) {
    const auto number = static_cast<std::uint32_t>(at);
    if (!workload_.Exists(number)) continue;
    workload_.FirstTold(number, now);
    const RunFields run = workload_.Fields(number);
    if (!selector->Selects(run)) continue;
    if (told++ > 0) body += ',';
    body += text_.Object(run);
  }
  body += R"(],"kind":"JobRunList","metadata":{)";
  const std::string of = std::to_string(version);
  if (at < runs) body += R"("continue":")" + std::to_string(at) + "." + of + R"(",)";
  body += R"("resourceVersion":")" + of + "\"}}";
  Answer(from, 200, body, now.wall);
}

void Api::Read(Connection& from, std::uint32_t number, Workload::Time now) {
  ++counts_.reads;
  Answer(from, 200, text_.Object(workload_.Fields(number)), now.wall);
}

void Api::Patch(Connection& from, std::uint32_t number, const HttpRequest& request,
                Workload::Time now) {
  ++counts_.patches;
  const std::string status = ObjectField(request.body, "status");
  Verdict verdict{.phase = StringField(status, "phase"),
                  .retry_state = StringField(status, "state"),
                  .fields = status.substr(1, status.size() - 2)};
  writes_.push_back({.from = &from,
                     .number = number,
                     .guard = NumberIn(StringField(request.body, "resourceVersion")),
                     .verdict = std::move(verdict),
                     .arrived = now.mono});
  counts_.writes_max = std::max<std::uint64_t>(counts_.writes_max, writes_.size());
}

void Api::AnswerWrites(Workload::Time now) {
  while (!writes_.empty() && now.mono >= writes_.front().arrived + options_.write_delay) {
    Write write = std::move(writes_.front());
    writes_.pop_front();
    counts_.writes_took += now.mono - write.arrived;
    Commit(write, now);
  }
}

void Api::Commit(Write& write, Workload::Time now) {
  const std::uint32_t number = write.number;
  const bool exists = workload_.Exists(number);
  const bool committed = exists && workload_.Write(number, write.guard, std::move(write.verdict),
                                                   write.arrived) == Workload::Written::kCommitted;
  if (write.from != nullptr && committed) {
    Answer(*write.from, 200, text_.Object(workload_.Fields(number)), now.wall);
  } else if (write.from != nullptr) {
    Refuse(*write.from, exists ? 409 : 404, exists ? "Conflict" : "NotFound", now.wall);
  }
  if (committed) Tell(number, RunText::Event::kModified);
}

}  // namespace jobrun::bench
