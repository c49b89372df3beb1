#include "controller/kube/data_client.h"

#include <algorithm>
#include <utility>

#include "controller/base/real_clock.h"
#include "controller/kube/gzip.h"
#include "controller/kube/proxy_tunnel.h"

namespace jobrun {
namespace {

// Enough for the answer to a status write in one read.
constexpr std::size_t kReadBytes = std::size_t{16} * 1024;

}  // namespace

struct DataClient::Slot {
  Slot(EventLoop& loop, const std::shared_ptr<LiveCredentials>& credentials, std::size_t body_max)
      : connection(loop, credentials, kReadBytes), reply(body_max) {}

  Connection connection;
  HttpReply reply;
  std::optional<Call> call{};
  Mono idle_since{};
  bool ready{false};   // connected
  bool reused{false};  // has carried a request before this one
};

DataClient::DataClient(EventLoop& loop, std::shared_ptr<LiveCredentials> credentials,
                       RequestClientOptions options, Answer answer)
    : loop_(loop),
      credentials_(std::move(credentials)),
      options_(std::move(options)),
      answer_(std::move(answer)),
      alive_(std::make_shared<bool>(true)),
      expiry_(loop),
      idle_timer_(loop) {}

DataClient::~DataClient() { *alive_ = false; }

void DataClient::Send(Request request) {
  const Mono due = ReadClocks().mono + request.deadline;
  Call call{.request = std::move(request), .due = due};
  if (waiting_.size() >= kWaitingRequestsMax) {
    loop_.Post([this, alive = alive_, late = std::make_shared<Call>(std::move(call))] {
      if (*alive) Fail(*late, "too many requests wait already");
    });
    return;
  }
  ExpireAt(due);
  Start(std::move(call));
}

void DataClient::Start(Call call) {
  // A call that met a dead connection must not meet the next one.
  while (!idle_.empty() && !call.sent_again) {
    Slot& slot = *idle_.back();
    idle_.pop_back();
    if (slot.connection.generation() == credentials_->tls_generation()) {
      return Give(slot, std::move(call));
    }
    Erase(slot);
  }
  if (slots_.size() >= options_.concurrency && !idle_.empty()) Erase(*idle_.front());
  if (slots_.size() < options_.concurrency) return Open(std::move(call));
  waiting_.push_back(std::move(call));
}

void DataClient::Open(Call call) {
  slots_.push_back(std::make_unique<Slot>(loop_, credentials_, options_.body_bytes_max));
  Slot& slot = *slots_.back();
  call.sent_at = ReadClocks().mono;
  slot.call = std::move(call);
  slot.connection.OnReadable([this, &slot] { Readable(slot); });
  slot.connection.Connect([this, &slot](const std::string& error) {
    if (!error.empty()) return Broke(slot, error);
    slot.ready = true;
    SendOn(slot);
  });
}

void DataClient::Give(Slot& slot, Call call) {
  slot.reused = true;
  slot.call = std::move(call);
  SendOn(slot);
}

void DataClient::SendOn(Slot& slot) {
  Call& call = *slot.call;
  const Credentials& fixed = credentials_->fixed();
  call.sent_at = ReadClocks().mono;
  call.authorization = credentials_->Authorization(call.sent_at);
  slot.reply.Reset(false);
  const std::string target = fixed.WrittenTarget(call.request.target);
  const std::string authority = fixed.server.Authority();
  const std::string proxy_authorization = fixed.ProxyAuthorization();
  slot.connection.Write(FormatRequest({.method = MethodName(call.request.method),
                                       .target = target,
                                       .authority = authority,
                                       .user_agent = options_.user_agent,
                                       .authorization = call.authorization,
                                       .content_type = call.request.content_type,
                                       .proxy_authorization = proxy_authorization,
                                       .accepts_gzip = call.request.accepts_gzip},
                                      call.request.body));
  slot.connection.AwaitReadable();
}

void DataClient::Readable(Slot& slot) {
  if (!slot.call) return ReadableIdle(slot);
  for (;;) {
    const Connection::ReadResult read =
        slot.connection.Read(slot.reply.Prepare(kReadBytes), kReadBytes);
    HttpReply::State state = HttpReply::State::kMore;
    switch (read.got) {
      case Connection::Got::kNothingYet:
        return slot.connection.AwaitReadable();
      case Connection::Got::kFailed:
        return Broke(slot, slot.connection.error());
      case Connection::Got::kEnd:
        state = slot.reply.End();
        break;
      case Connection::Got::kBytes:
        state = slot.reply.Commit(read.bytes);
        break;
    }
    if (state == HttpReply::State::kWhole) return Answered(slot);
    if (state == HttpReply::State::kBad) {
      return Broke(slot, credentials_->fixed().Peer() + ": " + slot.reply.error());
    }
  }
}

void DataClient::ReadableIdle(Slot& slot) {
  char byte = 0;
  // TLS housekeeping only is fine; bytes that nobody asked for, or the end, are not.
  if (slot.connection.Read(&byte, 1).got != Connection::Got::kNothingYet) return Erase(slot);
  slot.connection.AwaitReadable();
}

std::optional<DataClient::Call> DataClient::Release(Slot& slot, bool reusable) {
  std::optional<Call> call = std::exchange(slot.call, std::nullopt);
  if (!reusable || slot.connection.generation() != credentials_->tls_generation()) {
    Erase(slot);
    return call;
  }
  slot.idle_since = ReadClocks().mono;
  idle_.push_back(&slot);
  slot.connection.AwaitReadable();
  if (idle_.size() == 1)
    idle_timer_.Set(slot.idle_since + kIdleConnection, [this] { CloseIdle(); });
  return call;
}

void DataClient::Answered(Slot& slot) {
  Response response{.id = slot.call->request.id,
                    .status = slot.reply.status(),
                    .date = slot.reply.date(),
                    .retry_after = slot.reply.retry_after(),
                    .sent_at = slot.call->sent_at,
                    .received_at = ReadClocks().mono};
  response.body = slot.reply.TakeBody();
  Unpack(response, slot.reply.content_encoding(), options_.body_bytes_max,
         credentials_->fixed().Peer());
  const bool reusable = slot.reply.keep_alive() && slot.reply.Rest().empty();
  Call call = std::move(*Release(slot, reusable));
  if (response.status == 401) {
    if (!call.authorized_again &&
        credentials_->RereadAfterRefusal(response.received_at, call.authorization)) {
      call.authorized_again = true;
      return Start(std::move(call));
    }
    response.detail = credentials_->RefusalText();
  }
  if (response.status == 407) response.detail = RefusalOfProxy(credentials_->fixed());
  StartWaiting();
  answer_(std::move(response));
}

void DataClient::Broke(Slot& slot, const std::string& why) {
  std::string detail = why;
  const bool stale = slot.ready && slot.reused && !slot.call->sent_again;
  const bool harmless = slot.connection.NothingWritten() ||
                        (slot.call->request.method == Method::kGet && slot.reply.Untouched());
  const bool too_large = slot.reply.too_large();
  Call call = std::move(*Release(slot, false));
  if (stale && harmless) {
    call.sent_again = true;
    return Start(std::move(call));
  }
  StartWaiting();
  Fail(call, std::move(detail), too_large);
}

void DataClient::Fail(const Call& call, std::string detail, bool too_large) {
  answer_({.id = call.request.id,
           .sent_at = call.sent_at,
           .received_at = ReadClocks().mono,
           .too_large = too_large,
           .detail = std::move(detail)});
}

void DataClient::Erase(Slot& slot) {
  std::erase(idle_, &slot);
  std::erase_if(slots_, [&](const auto& held) { return held.get() == &slot; });
}

void DataClient::StartWaiting() {
  while (!waiting_.empty() && (!idle_.empty() || slots_.size() < options_.concurrency)) {
    Call call = std::move(waiting_.front());
    waiting_.pop_front();
    Start(std::move(call));
  }
}

void DataClient::ExpireAt(Mono due) {
  if (due >= expires_at_) return;
  expires_at_ = due;
  expiry_.Set(due, [this] { Expire(); });
}

void DataClient::Expire() {
  const Mono now = ReadClocks().mono;
  std::vector<Call> late;
  const auto overdue = [&](const Call& call) { return call.due <= now; };
  for (std::size_t i = slots_.size(); i-- > 0;) {
    Slot& slot = *slots_[i];
    if (slot.call && overdue(*slot.call)) late.push_back(std::move(*Release(slot, false)));
  }
  for (Call& call : waiting_) {
    if (overdue(call)) late.push_back(std::move(call));
  }
  std::erase_if(waiting_, overdue);

  expires_at_ = Mono::max();
  for (const auto& slot : slots_) {
    if (slot->call) ExpireAt(slot->call->due);
  }
  for (const Call& call : waiting_) ExpireAt(call.due);
  StartWaiting();
  const std::string peer = credentials_->fixed().Peer();
  for (Call& call : late) {
    std::string detail = TooLateText(peer, call.request.deadline);
    Fail(call, std::move(detail));
  }
}

void DataClient::CloseIdle() {
  const Mono now = ReadClocks().mono;
  while (!idle_.empty() && now - idle_.front()->idle_since >= kIdleConnection)
    Erase(*idle_.front());
  if (idle_.empty()) return;
  idle_timer_.Set(idle_.front()->idle_since + kIdleConnection, [this] { CloseIdle(); });
}

}  // namespace jobrun
