#include "controller/kube/watch_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "controller/base/real_clock.h"
#include "controller/kube/byte_rate.h"
#include "controller/kube/proxy_tunnel.h"
#include "controller/kube/request_client.h"

namespace jobrun {
namespace {

// While a busy stream rests, the kernel need not wake us for less than this. Below what a default
// receive buffer takes, so that it never holds the sender up.
constexpr int kRestBytes = 48 * 1024;
// What is worth waking up for: about ten events.
constexpr std::size_t kWorthBytes = std::size_t{14} * 1024;
constexpr std::size_t kHeadReadBytes = 4096;

}  // namespace

struct WatchStream::Impl : std::enable_shared_from_this<WatchStream::Impl> {
  Impl(EventLoop& on, std::shared_ptr<LiveCredentials> live, WatchSettings set, TransportSink& to)
      : loop(on),
        credentials(std::move(live)),
        settings(std::move(set)),
        sink(to),
        reply(kRefusalBytesMax),
        deadline(on),
        rest(on) {}

  enum class Phase : std::uint8_t { kConnecting, kHead, kRefusal, kOpen };
  enum class Framing : std::uint8_t { kChunked, kLength, kToTheEnd };

  void Connect();
  void Ask();
  void Readable();
  void ReadHead();
  void Opened();
  void Refused();
  void ReadEvents();
  void Later(std::size_t bytes);
  [[nodiscard]] std::size_t Unframe(char* data, std::size_t size);
  [[nodiscard]] bool BodyWhole() const;
  [[nodiscard]] bool HandOn(std::size_t body_bytes);
  void Ended(const Connection::ReadResult& read);
  [[nodiscard]] Mono NextDeadline() const;
  void ArmDeadline();
  void CheckDeadlines();
  void Close(StreamClosed closed);
  void CloseFailed(const std::string& detail) { Close({.id = open.id, .detail = detail}); }
  [[nodiscard]] std::string Peer() const { return credentials->fixed().Peer(); }

  EventLoop& loop;
  const std::shared_ptr<LiveCredentials> credentials;
  const WatchSettings settings;
  TransportSink& sink;
  OpenStream open{};
  std::function<void()> over{};
  std::unique_ptr<Connection> connection{};
  HttpReply reply;
  LineSplitter splitter{};
  EventDecoder decoder{};
  ChunkReader chunks{};
  std::vector<Event> events{};
  Timer deadline;
  Timer rest;
  std::string authorization{};
  Phase phase{Phase::kConnecting};
  Framing framing{Framing::kChunked};
  std::uint64_t length_left{0};
  Mono started{};
  Mono sent_at{};
  Mono last_bytes{Mono::min()};
  bool authorized_again{false};
  bool resting{false};  // between two reads by the timer
  ByteRate rate{};      // since it rests
  bool gone{false};     // destroyed, or closed: nothing more may be called
};

void WatchStream::Impl::Connect() {
  phase = Phase::kConnecting;
  connection = std::make_unique<Connection>(loop, credentials, kWatchReadBytes);
  connection->OnReadable([this] { Readable(); });
  connection->Connect([this](const std::string& error) {
    const std::shared_ptr<Impl> alive = shared_from_this();
    if (!error.empty()) return CloseFailed(error);
    Ask();
  });
}

void WatchStream::Impl::Ask() {
  phase = Phase::kHead;
  sent_at = ReadClocks().mono;
  authorization = credentials->Authorization(sent_at);
  reply.Reset(/*stop_at_head=*/true);
  const Credentials& fixed = credentials->fixed();
  const std::string target = fixed.WrittenTarget(open.target);
  const std::string authority = fixed.server.Authority();
  const std::string proxy_authorization = fixed.ProxyAuthorization();
  connection->Write(FormatRequest({.method = MethodName(Method::kGet),
                                   .target = target,
                                   .authority = authority,
                                   .user_agent = settings.user_agent,
                                   .authorization = authorization,
                                   .content_type = {},
                                   .proxy_authorization = proxy_authorization},
                                  ""));
  connection->AwaitReadable();
}

void WatchStream::Impl::Readable() {
  const std::shared_ptr<Impl> alive = shared_from_this();
  if (phase == Phase::kOpen) return ReadEvents();
  ReadHead();
}

void WatchStream::Impl::ReadHead() {
  for (;;) {
    const Connection::ReadResult read =
        connection->Read(reply.Prepare(kHeadReadBytes), kHeadReadBytes);
    HttpReply::State state = HttpReply::State::kMore;
    if (read.got == Connection::Got::kNothingYet) return connection->AwaitReadable();
    if (read.got == Connection::Got::kFailed) {
      // A refusal whose body is cut is a refusal still.
      return phase == Phase::kRefusal ? Refused() : CloseFailed(connection->error());
    }
    if (read.got == Connection::Got::kEnd) state = reply.End();
    if (read.got == Connection::Got::kBytes) state = reply.Commit(read.bytes);
    if (state == HttpReply::State::kHead && reply.status() == 200) return Opened();
    if (state == HttpReply::State::kHead) {
      phase = Phase::kRefusal;
      state = reply.Continue();
    }
    if (state == HttpReply::State::kWhole) return Refused();
    if (state == HttpReply::State::kBad) {
      if (phase == Phase::kRefusal) return Refused();
      return CloseFailed(Peer() + ": " + reply.error());
    }
  }
}

void WatchStream::Impl::Refused() {
  StreamClosed closed{.id = open.id, .status = reply.status(), .retry_after = reply.retry_after()};
  if (closed.status == 200) {  // an answer that is over with its head
    closed.detail = Peer() + ": the watch ended before it began";
    return Close(std::move(closed));
  }
  if (closed.status == 401) {
    const Mono now = ReadClocks().mono;
    if (!authorized_again && credentials->RereadAfterRefusal(now, authorization)) {
      authorized_again = true;
      return Connect();
    }
    closed.detail = credentials->RefusalText();
    return Close(std::move(closed));
  }
  if (closed.status == 407) {
    closed.detail = RefusalOfProxy(credentials->fixed());
    return Close(std::move(closed));
  }
  closed.detail = DecodeStatus(reply.TakeBody()).message;
  if (closed.detail.empty()) {
    closed.detail = Peer() + " answered the watch with HTTP " + std::to_string(closed.status);
  }
  Close(std::move(closed));
}

void WatchStream::Impl::Opened() {
  phase = Phase::kOpen;
  framing = reply.chunked()          ? Framing::kChunked
            : reply.content_length() ? Framing::kLength
                                     : Framing::kToTheEnd;
  length_left = reply.content_length().value_or(0);
  const Mono now = ReadClocks().mono;
  last_bytes = now;
  ArmDeadline();
  sink.OnStreamOpened(
      {.id = open.id, .date = reply.date(), .sent_at = sent_at, .received_at = now});
  if (gone) return;
  const std::string_view came = reply.Rest();
  if (!came.empty()) {
    char* into = splitter.Prepare(came.size());
    std::memcpy(into, came.data(), came.size());
    if (!HandOn(Unframe(into, came.size()))) return;
  }
  ReadEvents();
}

std::size_t WatchStream::Impl::Unframe(char* data, std::size_t size) {
  switch (framing) {
    case Framing::kChunked:
      return chunks.Strip(data, size);
    case Framing::kLength:
      size = static_cast<std::size_t>(std::min<std::uint64_t>(size, length_left));
      length_left -= size;
      return size;
    case Framing::kToTheEnd:
      return size;
  }
  return 0;
}

bool WatchStream::Impl::BodyWhole() const {
  return framing == Framing::kChunked ? chunks.Done()
                                      : framing == Framing::kLength && length_left == 0;
}

// Decodes and hands on the whole lines. False when the stream is over, and must not be touched.
bool WatchStream::Impl::HandOn(std::size_t body_bytes) {
  splitter.Commit(body_bytes);
  events.clear();
  decoder.Reset();
  std::string_view line;
  for (;;) {
    const LineSplitter::Found found = splitter.Next(line);
    if (found == LineSplitter::Found::kNeedMore) break;
    if (found == LineSplitter::Found::kLine) {
      events.push_back(decoder.DecodeLine(line, open.watched));
    } else {
      events.push_back({.type = EventType::kInvalid,
                        .message = "a line of the watch is longer than any object may be"});
    }
  }
  if (!events.empty()) {
    sink.OnStreamEvents({.id = open.id, .events = events});
    if (gone) return false;
  }
  if (framing == Framing::kChunked && chunks.Bad()) {
    CloseFailed(Peer() + ": the watch is not chunked as HTTP/1.1 asks; is a proxy in between?");
    return false;
  }
  if (!BodyWhole()) return true;
  Close({.id = open.id, .status = 200, .detail = "the server ended the watch"});
  return false;
}

void WatchStream::Impl::ReadEvents() {
  std::size_t turn = 0;
  Connection::ReadResult read{.got = Connection::Got::kBytes};
  while (turn < kWatchTurnBytes && read.got == Connection::Got::kBytes) {
    char* const into = splitter.Prepare(kWatchReadBytes);
    std::size_t size = 0;
    // A read yields one TLS record at most: gather as many as there are.
    while (size < kWatchReadBytes) {
      read = connection->Read(into + size, kWatchReadBytes - size);
      if (read.got != Connection::Got::kBytes) break;
      size += read.bytes;
    }
    turn += size;
    if (size > 0 && !HandOn(Unframe(into, size))) return;
  }
  if (read.got == Connection::Got::kEnd || read.got == Connection::Got::kFailed) return Ended(read);
  if (read.got == Connection::Got::kNothingYet) return Later(turn);
  last_bytes = ReadClocks().mono;
  loop.Post([weak = weak_from_this()] {
    const std::shared_ptr<Impl> self = weak.lock();
    if (self != nullptr && !self->gone) self->ReadEvents();
  });
}

// Everything is read. A stream on which events follow each other closely rests a moment, so that
// several come at once: on its own each costs a wake-up, which is dearer than its decoding.
void WatchStream::Impl::Later(std::size_t bytes) {
  const Mono now = ReadClocks().mono;
  const Nanos elapsed = now - last_bytes;
  const bool busy = bytes > 0 && (resting || elapsed < settings.rest_min);
  if (bytes > 0) last_bytes = now;
  if (busy != resting) connection->WakeAtBytes(busy ? kRestBytes : 1);
  if (!resting) rate = {};
  resting = busy;
  if (!busy) return connection->AwaitReadable();
  rate.Add(bytes, elapsed);
  const Nanos wanted = rate.TimeFor(kWorthBytes, settings.rest_max);
  rest.Set(now + std::max(wanted, settings.rest_min), [this] {
    const std::shared_ptr<Impl> alive = shared_from_this();
    ReadEvents();
  });
}

void WatchStream::Impl::Ended(const Connection::ReadResult& read) {
  if (read.got == Connection::Got::kFailed) return CloseFailed(connection->error());
  if (framing == Framing::kToTheEnd) {
    return Close({.id = open.id, .status = 200, .detail = "the server ended the watch"});
  }
  CloseFailed(Peer() + ": the connection was closed in the middle of the watch");
}

Mono WatchStream::Impl::NextDeadline() const {
  const Mono next =
      phase == Phase::kOpen ? last_bytes + open.idle_deadline : started + open.open_deadline;
  return std::min(next, started + open.total_deadline);
}

void WatchStream::Impl::ArmDeadline() {
  deadline.Set(NextDeadline(), [this] { CheckDeadlines(); });
}

void WatchStream::Impl::CheckDeadlines() {
  const std::shared_ptr<Impl> alive = shared_from_this();
  const Mono now = ReadClocks().mono;
  if (now < NextDeadline()) return ArmDeadline();
  if (now >= started + open.total_deadline) {
    return CloseFailed(Peer() +
                       ": the watch has lasted as long as it may without the server ending it");
  }
  if (phase != Phase::kOpen) return CloseFailed(TooLateText(Peer(), open.open_deadline));
  CloseFailed(Peer() + ": the watch has been silent for too long, not even a bookmark came");
}

void WatchStream::Impl::Close(StreamClosed closed) {
  gone = true;
  deadline.Clear();
  rest.Clear();
  connection.reset();
  const std::function<void()> forget = std::exchange(over, nullptr);
  TransportSink& to = sink;
  if (forget) forget();
  to.OnStreamClosed(std::move(closed));
}

WatchStream::WatchStream(EventLoop& loop, std::shared_ptr<LiveCredentials> credentials,
                         WatchSettings settings, TransportSink& sink)
    : impl_(std::make_shared<Impl>(loop, std::move(credentials), std::move(settings), sink)) {}

WatchStream::~WatchStream() {
  impl_->gone = true;
  impl_->over = nullptr;
  impl_->deadline.Clear();
  impl_->rest.Clear();
  impl_->connection.reset();
}

void WatchStream::Start(OpenStream open, std::function<void()> over) {
  impl_->open = std::move(open);
  impl_->over = std::move(over);
  impl_->started = ReadClocks().mono;
  impl_->Connect();
  impl_->ArmDeadline();
}

}  // namespace jobrun
