// The half of the Network that carries watches: the API server's side of a stream, the bytes in
// between, and the client's deadlines.
#include <algorithm>
#include <utility>

#include "tests/simulation/network.h"
#include "tests/simulation/replica.h"

namespace jobrun::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kBookmarkEvery = seconds(60);
constexpr std::size_t kReplayed = 5;
constexpr Nanos kHeldMax = milliseconds(500);

}  // namespace

struct Network::Stream {
  Replica* replica{nullptr};
  std::uint64_t process{0};
  OpenStream open{};
  Kind kind{Kind::kRun};
  std::optional<WatchCursor> cursor{};
  bool opened{false};
  bool hangs{false};  // half-open: nothing comes any more, and nobody says so
  bool over{false};
  Mono sent_at{};
  Nanos started{};
  Nanos last_bytes{};
  Nanos server_ends{Nanos::max()};
  Nanos next_bookmark{Nanos::max()};
  Nanos pump_planned{Nanos::max()};
  Nanos tick_planned{Nanos::max()};
  std::string held{};  // a line that the next one overtakes
  std::deque<std::string> recent{};
  LineSplitter splitter{};
  EventDecoder decoder{};
};

void Network::Open(Replica& replica, const OpenStream& open) {
  auto stream = std::make_shared<Stream>();
  stream->replica = &replica;
  stream->process = replica.Process();
  stream->open = open;
  stream->sent_at = replica.ReadClocks().mono;
  stream->started = stream->last_bytes = world_.Now();
  streams_[{replica.Index(), open.id}] = stream;
  world_.time.In(Latency(), [this, stream] { ArriveStream(stream); });
}

void Network::ArriveStream(const StreamPtr& stream) {
  if (stream->over) return;
  const int where = stream->replica->Index();
  const Mono sent_at = stream->sent_at;
  for (const Fault outage :
       {Fault::kOutage, Fault::kOutageReplica, Fault::kOutageWatch, Fault::kApiRestart}) {
    if (!world_.Struck(outage, where)) continue;
    const Nanos wait = world_.network.Below(2) == 0 ? milliseconds(5) : stream->open.open_deadline;
    return world_.time.In(wait, [this, stream] { CloseStreamWith(stream, 0, "no answer"); });
  }
  if (world_.Struck(Fault::kForbidden, where)) return CloseStreamWith(stream, 403, "forbidden");
  if (world_.Struck(Fault::kUnauthorized, where)) return CloseStreamWith(stream, 401, "token");
  if (world_.Befalls(Fault::kThrottle, world_.plan.rates.throttle)) {
    return CloseStreamWith(stream, 429, "later");
  }
  if (world_.Befalls(Fault::kLoseRequest, world_.plan.rates.lose_request)) {
    return world_.time.In(stream->open.open_deadline,
                          [this, stream] { CloseStreamWith(stream, 0, "no answer"); });
  }
  if (world_.Struck(Fault::kVersionTooLarge, where)) {
    return CloseStreamWith(stream, 504, "Too large resource version");
  }
  Reply refusal;
  stream->cursor = world_.server.OpenWatch(stream->open.target, refusal);
  if (!stream->cursor) return CloseStreamWith(stream, refusal.status, "refused");
  stream->kind = stream->cursor->kind;
  // Some servers say so before the stream begins, some within it.
  if (stream->cursor->expired && world_.network.Below(2) == 0) {
    return CloseStreamWith(stream, 410, "too old resource version");
  }
  if (stream->cursor->timeout > seconds(0)) {
    // API servers that are rolled end their watches in good order long before.
    const Nanos rolled = seconds(20 + world_.network.Below(400));
    stream->server_ends = world_.Now() + std::min<Nanos>(stream->cursor->timeout, rolled);
  }
  stream->next_bookmark = world_.Now() + kBookmarkEvery;
  stream->last_bytes = world_.Now();
  const ServerTime date = DateFor(where);
  world_.time.In(Latency(), [this, stream, date, sent_at] {
    stream->replica->Post(stream->process, [this, stream, date, sent_at] {
      if (stream->over) return;
      stream->opened = true;
      const Mono now = stream->replica->ReadClocks().mono;
      stream->replica->Step(StreamOpened{
          .id = stream->open.id, .date = date, .sent_at = sent_at, .received_at = now});
      PlanPump(stream, world_.Now());
    });
    PlanTick(stream);
  });
}

void Network::Close(Replica& replica, StreamId id) {
  const auto found = streams_.find({replica.Index(), id});
  if (found == streams_.end()) return;
  if (!found->second->held.empty()) missed_.insert(replica.Index());
  found->second->over = true;
  streams_.erase(found);
}

void Network::Drop(int replica) {
  missed_.erase(replica);
  for (auto at = streams_.begin(); at != streams_.end();) {
    if (at->first.first != replica) {
      ++at;
      continue;
    }
    at->second->over = true;
    at = streams_.erase(at);
  }
}

void Network::CloseStreamWith(const StreamPtr& stream, int status, std::string detail) {
  if (stream->over) return;
  stream->replica->Post(stream->process, [this, stream, status, detail = std::move(detail)] {
    if (std::exchange(stream->over, true)) return;
    // A later one has come before it: the client will not ask for it again.
    if (!stream->held.empty()) missed_.insert(stream->replica->Index());
    streams_.erase({stream->replica->Index(), stream->open.id});
    StreamClosed closed{.id = stream->open.id, .status = status, .detail = detail};
    if (status == 429) closed.retry_after = seconds(1);
    stream->replica->Step(Input{std::move(closed)});
  });
}

void Network::CutStreams(int where, bool silently) {
  const auto streams = streams_;
  for (const auto& [key, stream] : streams) {
    if (where != kEverywhere && key.first != where) continue;
    if (silently) {
      stream->hangs = true;
    } else {
      CloseStreamWith(stream, 0, "cut");
    }
  }
}

void Network::Heal() {
  const auto streams = streams_;
  for (const auto& [key, stream] : streams) {
    if (stream->hangs && world_.plan.heals) CloseStreamWith(stream, 0, "cut");
  }
  world_.events_lost = world_.events_lost || !missed_.empty();
}

void Network::OnChange() {
  for (const auto& [key, stream] : streams_) {
    if (stream->opened && !stream->hangs) PlanPump(stream, world_.Now() + LagOf(*stream));
  }
}

Nanos Network::LagOf(const Stream& stream) const {
  const int where = stream.replica->Index();
  const auto fault = static_cast<std::size_t>(Fault::kLagWatch);
  const Nanos until = world_.until[fault][static_cast<std::size_t>(where)];
  if (until > world_.Now()) return until - world_.Now();
  return milliseconds(2 + 3 * where);
}

// ---- what is sent ----

void Network::PlanPump(const StreamPtr& stream, Nanos at) {
  if (stream->pump_planned <= at && stream->pump_planned >= world_.Now()) return;
  stream->pump_planned = at;
  world_.time.At(at, [this, stream, at] {
    if (stream->pump_planned == at) stream->pump_planned = Nanos::max();
    Pump(stream);
  });
}

void Network::Pump(const StreamPtr& stream) {
  if (stream->over || stream->hangs || !stream->opened) return;
  if (world_.Struck(Fault::kLagWatch, stream->replica->Index())) {
    return PlanPump(stream, world_.Now() + LagOf(*stream));
  }
  std::string bytes;
  if (stream->cursor->expired) {
    bytes = EventLine("ERROR", StatusText(410, "Expired", "too old resource version"));
    return Deliver(stream, std::move(bytes));
  }
  AppendInitial(*stream, bytes);
  AppendChanges(*stream, bytes);
  if (!bytes.empty()) Deliver(stream, std::move(bytes));
  if (!stream->held.empty()) {
    world_.time.In(kHeldMax, [this, stream] {
      if (!stream->over && !stream->held.empty()) Deliver(stream, std::exchange(stream->held, {}));
    });
  }
  if (world_.Befalls(Fault::kCutWatch, world_.plan.rates.cut)) {
    CloseStreamWith(stream, 0, "cut in the middle");
  }
}

void Network::AppendInitial(Stream& stream, std::string& bytes) {
  WatchCursor& cursor = *stream.cursor;
  for (const ObjectPtr& object : cursor.initial)
    AppendLine(stream, EventLine("ADDED", object->text), bytes);
  cursor.initial.clear();
  if (!std::exchange(cursor.marks_end, false)) return;
  if (world_.Struck(Fault::kNoInitialBookmark, stream.replica->Index())) return;
  bytes += BookmarkLine(cursor.kind, cursor.version, true);
}

void Network::AppendChanges(Stream& stream, std::string& bytes) {
  constexpr std::array kTypes = {"ADDED", "MODIFIED", "DELETED"};
  while (const Change* change = world_.server.NextChange(*stream.cursor, world_.Now())) {
    const bool hides = world_.Befalls(Fault::kHideEvent, world_.plan.rates.hide) ||
                       world_.Struck(Fault::kHideEvent, stream.replica->Index());
    const auto nth = hide_nth_.find(stream.replica->Index());
    const bool is_nth = nth != hide_nth_.end() && nth->second > 0 && --nth->second == 0;
    if (is_nth) world_.Hit(Fault::kHideNth);
    if (hides || is_nth) {
      missed_.insert(stream.replica->Index());
      continue;
    }
    AppendLine(stream,
               EventLine(kTypes.at(static_cast<std::size_t>(change->type)), change->object->text),
               bytes);
  }
}

// One line, perhaps twice, late, or with older ones once more.
void Network::AppendLine(Stream& stream, std::string line, std::string& bytes) {
  const Rates& rates = world_.plan.rates;
  if (stream.held.empty() && world_.Befalls(Fault::kReorderEvents, rates.reorder)) {
    stream.held = std::move(line);
    return;
  }
  bytes += line;
  bytes += std::exchange(stream.held, {});
  if (world_.Befalls(Fault::kDuplicateEvent, rates.duplicate)) bytes += line;
  if (rates.replay <= 0) return;
  stream.recent.push_back(line);
  if (stream.recent.size() > kReplayed) stream.recent.pop_front();
  if (!world_.Befalls(Fault::kReplayEvents, rates.replay)) return;
  for (const std::string& old : stream.recent) bytes += old;
}

void Network::Deliver(const StreamPtr& stream, std::string bytes) {
  stream->last_bytes = world_.Now();
  if (bytes.size() > 2 && world_.Befalls(Fault::kSplitBytes, world_.plan.rates.split)) {
    const std::size_t cut = 1 + world_.network.Below(bytes.size() - 1);
    stream->replica->Post(stream->process,
                          [this, stream, first = bytes.substr(0, cut)] { Feed(stream, first); });
    bytes.erase(0, cut);
  }
  stream->replica->Post(stream->process,
                        [this, stream, bytes = std::move(bytes)] { Feed(stream, bytes); });
}

// As WatchStream::Impl::HandOn does.
void Network::Feed(const StreamPtr& stream, std::string_view bytes) {
  if (stream->over) return;
  std::ranges::copy(bytes, stream->splitter.Prepare(bytes.size()));
  stream->splitter.Commit(bytes.size());
  stream->decoder.Reset();
  std::vector<Event> events;
  std::string_view line;
  while (stream->splitter.Next(line) == LineSplitter::Found::kLine) {
    events.push_back(stream->decoder.DecodeLine(line, stream->open.watched));
  }
  if (events.empty()) return;
  oracle_.OnEvents(*stream->replica, events);
  stream->replica->Step(StreamEvents{.id = stream->open.id, .events = events});
}

// ---- what time brings ----

void Network::PlanTick(const StreamPtr& stream) {
  if (stream->over) return;
  const Nanos next = std::min({stream->next_bookmark, stream->server_ends,
                               stream->last_bytes + stream->open.idle_deadline,
                               stream->started + stream->open.total_deadline});
  world_.time.At(std::max(next, world_.Now() + milliseconds(1)), [this, stream] { Tick(stream); });
}

void Network::Tick(const StreamPtr& stream) {
  if (stream->over) return;
  const Nanos now = world_.Now();
  if (now >= stream->last_bytes + stream->open.idle_deadline) {
    return CloseStreamWith(stream, 0, "silent for too long");
  }
  if (now >= stream->started + stream->open.total_deadline) {
    return CloseStreamWith(stream, 0, "too long");
  }
  if (now >= stream->server_ends) {
    if (!stream->hangs && !world_.Struck(Fault::kEndlessWatch, stream->replica->Index())) {
      return CloseStreamWith(stream, 200, "the server ended the watch");
    }
    stream->server_ends = Nanos::max();
  }
  if (now >= stream->next_bookmark) {
    stream->next_bookmark = now + kBookmarkEvery;
    if (!stream->hangs && stream->cursor && !stream->cursor->expired) {
      Deliver(stream, BookmarkLine(stream->kind, stream->cursor->version, false));
    }
  }
  PlanTick(stream);
}

}  // namespace jobrun::simulation
