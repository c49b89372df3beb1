#include "controller/kube/control_client.h"

#include <cpprest/http_client.h>
#include <pplx/threadpool.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "controller/base/real_clock.h"
#include "controller/base/rfc3339.h"
#include "controller/kube/gzip.h"
#include "controller/kube/http_reply.h"

namespace jobrun {
namespace {

namespace http = web::http;

constexpr int kControlThreads = 4;  // cpprestsdk's own default is 40
constexpr auto kControlShutdown = std::chrono::seconds(2);
// cpprestsdk's timeout is one of silence, re-armed by every step; the deadline of each call is
// ours, so this only has to be longer.
constexpr auto kSilenceMax = std::chrono::seconds(600);

void StartThreads() {
  static std::once_flag once;
  std::call_once(once, [] {
    try {
      crossplat::threadpool::initialize_with_threads(kControlThreads);
    } catch (const std::exception&) {
      // Somebody in this process was first; more threads are no harm.
    }
  });
}

// Shared with cpprestsdk's threads; outlives the client when one of them hangs (in a name look-up).
class Gate {
 public:
  explicit Gate(EventLoop& loop) : loop_(&loop) {}

  void Enter() {
    const std::lock_guard lock(mutex_);
    ++inside_;
  }
  // Posts `function`, unless the client is gone.
  void Leave(std::function<void()> function) {
    const std::lock_guard lock(mutex_);
    if (loop_ != nullptr) loop_->Post(std::move(function));
    --inside_;
    empty_.notify_all();
  }
  void CloseAndWait() {
    std::unique_lock lock(mutex_);
    loop_ = nullptr;
    empty_.wait_for(lock, kControlShutdown, [this] { return inside_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable empty_;
  EventLoop* loop_;
  int inside_{0};
};

// What one attempt has come to; written by cpprestsdk's threads, read by ours after Gate::Leave.
struct Attempt {
  pplx::cancellation_token_source cancel{};
  std::size_t body_bytes_max{0};
  bool too_large{false};
  std::string content_encoding{};
  Response response{};
};

http::method HttpMethod(Method method) { return MethodName(method); }

std::string Header(const http::http_response& from, const char* name) {
  std::string value;
  (void)from.headers().match(name, value);
  return value;
}

void NoteHead(Attempt& attempt, const http::http_response& from) {
  attempt.response.status = from.status_code();
  attempt.response.date = ParseHttpDate(Header(from, "Date"));
  attempt.response.retry_after = ParseRetryAfter(Header(from, "Retry-After"));
  attempt.content_encoding = Header(from, "Content-Encoding");
  utility::size64_t length = 0;
  if (from.headers().match("Content-Length", length) && length > attempt.body_bytes_max) {
    attempt.too_large = true;
    attempt.cancel.cancel();
  }
}

// The data path's words where cpprestsdk tells the case apart by a code.
std::string Words(const http::http_exception& bad) {
  if (bad.error_code() != std::errc::host_unreachable) return bad.what();
  return std::string("can't connect: ") + bad.what() +
         "; is the API server running, and reachable from here?";
}

http::http_request MakeRequest(const Request& request, const std::string& authorization,
                               const RequestClientOptions& options,
                               const std::shared_ptr<Attempt>& attempt) {
  http::http_request made(HttpMethod(request.method));
  made.set_request_uri(request.target);
  made.headers().add("Accept", "application/json");
  made.headers().add("User-Agent", options.user_agent);
  if (request.accepts_gzip) made.headers().add("Accept-Encoding", "gzip");
  if (!authorization.empty()) made.headers().add("Authorization", authorization);
  if (!request.content_type.empty()) made.set_body(request.body, request.content_type);
  // There is no limit of its own, and dropping the answer would not stop the transfer.
  made.set_progress_handler(
      [weak = std::weak_ptr(attempt)](http::message_direction::direction way, std::uint64_t bytes) {
        const std::shared_ptr<Attempt> here = weak.lock();
        if (here == nullptr || way != http::message_direction::download) return;
        if (bytes <= here->body_bytes_max || here->too_large) return;
        here->too_large = true;
        here->cancel.cancel();
      });
  return made;
}

http::client::http_client_config MakeConfig(const std::shared_ptr<LiveCredentials>& credentials) {
  http::client::http_client_config config;
  config.set_timeout(kSilenceMax);
  config.set_max_redirects(0);  // it would carry Authorization along to any host
  config.set_validate_certificates(!credentials->fixed().insecure_skip_tls_verify);
  config.set_tlsext_sni_enabled(!IsAddressLiteral(credentials->fixed().server.host));
  // Called for every connection: rotated files are used at the next one.
  config.set_ssl_context_callback([credentials](boost::asio::ssl::context& context) {
    credentials->Configure(context.native_handle());
  });
  return config;
}

}  // namespace

struct ControlClient::Impl : std::enable_shared_from_this<ControlClient::Impl> {
  Impl(EventLoop& loop, std::shared_ptr<LiveCredentials> live, RequestClientOptions set, Answer to)
      : credentials(std::move(live)),
        options(std::move(set)),
        answer(std::move(to)),
        gate(std::make_shared<Gate>(loop)),
        expiry(loop) {}

  struct Call {
    Request request{};
    Mono due{};
    Mono sent_at{};
    std::string authorization{};
    bool authorized_again{false};
    std::shared_ptr<Attempt> attempt{};  // null: waits
  };
  using Calls = std::map<std::uint64_t, Call>;  // in the order they came

  [[nodiscard]] http::client::http_client& Client();
  void StartWaiting();
  void Start(std::uint64_t ticket, Call& call);
  void Finish(std::uint64_t ticket, const std::shared_ptr<Attempt>& attempt);
  void ExpireAt(Mono due);
  void Expire();
  void Fail(const Call& call, const std::string& detail);
  [[nodiscard]] std::string Url() const { return credentials->fixed().server.Url(); }

  const std::shared_ptr<LiveCredentials> credentials;
  const RequestClientOptions options;
  const Answer answer;
  const std::shared_ptr<Gate> gate;
  std::unique_ptr<http::client::http_client> client{};
  std::uint64_t generation{0};
  Calls calls{};
  std::deque<std::uint64_t> waiting{};
  std::uint64_t last_ticket{0};
  std::size_t under_way{0};
  Mono expires_at{Mono::max()};
  Timer expiry;
};

// Its kept-alive connections show the certificate they were made with. What is under way in the one
// before goes on.
http::client::http_client& ControlClient::Impl::Client() {
  const std::uint64_t current = credentials->tls_generation();
  if (client == nullptr || current != generation) {
    generation = current;
    client = std::make_unique<http::client::http_client>(
        utility::string_t(credentials->fixed().server.Url()), MakeConfig(credentials));
  }
  return *client;
}

void ControlClient::Impl::StartWaiting() {
  while (!waiting.empty() && under_way < options.concurrency) {
    const std::uint64_t ticket = waiting.front();
    waiting.pop_front();
    const auto found = calls.find(ticket);
    if (found != calls.end()) Start(ticket, found->second);
  }
}

void ControlClient::Impl::Start(std::uint64_t ticket, Call& call) {
  auto attempt = std::make_shared<Attempt>();
  attempt->body_bytes_max = options.body_bytes_max;
  call.attempt = attempt;
  call.sent_at = ReadClocks().mono;
  call.authorization = credentials->Authorization(call.sent_at);
  ++under_way;
  gate->Enter();
  const auto over = [weak = weak_from_this(), held = gate, attempt, ticket] {
    attempt->response.received_at = ReadClocks().mono;
    held->Leave([weak, attempt, ticket] {
      if (const std::shared_ptr<Impl> self = weak.lock()) self->Finish(ticket, attempt);
    });
  };
  pplx::task<std::vector<unsigned char>> task;
  try {
    task = Client()
               .request(MakeRequest(call.request, call.authorization, options, attempt),
                        attempt->cancel.get_token())
               .then([attempt](const http::http_response& from) {
                 NoteHead(*attempt, from);
                 return from.extract_vector();
               });
  } catch (const std::exception& bad) {
    task = pplx::task_from_exception<std::vector<unsigned char>>(std::runtime_error(bad.what()));
  }
  // A task whose exception nobody looks at ends the process.
  task.then([attempt, over](const pplx::task<std::vector<unsigned char>>& done) {
    try {
      const std::vector<unsigned char> body = done.get();
      attempt->response.body.assign(body.begin(), body.end());
    } catch (const http::http_exception& bad) {
      attempt->response.status = 0;
      attempt->response.detail = Words(bad);
    } catch (const std::exception& bad) {
      attempt->response.status = 0;
      attempt->response.detail = bad.what();
    }
    over();
  });
}

void ControlClient::Impl::Finish(std::uint64_t ticket, const std::shared_ptr<Attempt>& attempt) {
  --under_way;
  const auto found = calls.find(ticket);
  // A call that has expired was answered then.
  if (found == calls.end() || found->second.attempt != attempt) return StartWaiting();
  Call& call = found->second;
  Response response = std::move(attempt->response);
  response.id = call.request.id;
  response.sent_at = call.sent_at;
  if (attempt->too_large) {
    response.status = 0;
    response.too_large = true;
    response.detail = Url() + ": " + TooLargeText(options.body_bytes_max);
  } else if (response.status == 0) {
    const std::string why = credentials->TakeHandshakeError(response.detail);
    response.detail = Url() + ": " + why;
  } else if (response.status == 401) {
    if (!call.authorized_again &&
        credentials->RereadAfterRefusal(response.received_at, call.authorization)) {
      call.authorized_again = true;
      return Start(ticket, call);
    }
    response.detail = credentials->RefusalText();
  }
  if (response.status != 0) {
    Unpack(response, attempt->content_encoding, options.body_bytes_max, Url());
  }
  calls.erase(found);
  StartWaiting();
  answer(std::move(response));
}

void ControlClient::Impl::Fail(const Call& call, const std::string& detail) {
  answer({.id = call.request.id,
          .sent_at = call.sent_at,
          .received_at = ReadClocks().mono,
          .detail = detail});
}

void ControlClient::Impl::ExpireAt(Mono due) {
  if (due >= expires_at) return;
  expires_at = due;
  expiry.Set(due, [this] { Expire(); });
}

void ControlClient::Impl::Expire() {
  const Mono now = ReadClocks().mono;
  std::vector<Call> late;
  expires_at = Mono::max();
  for (auto at = calls.begin(); at != calls.end();) {
    if (at->second.due > now) {
      ExpireAt(at->second.due);
      ++at;
      continue;
    }
    if (at->second.attempt != nullptr) at->second.attempt->cancel.cancel();
    late.push_back(std::move(at->second));
    at = calls.erase(at);
  }
  for (const Call& call : late) Fail(call, TooLateText(Url(), call.request.deadline));
}

ControlClient::ControlClient(EventLoop& loop, std::shared_ptr<LiveCredentials> credentials,
                             RequestClientOptions options, Answer answer) {
  StartThreads();
  impl_ =
      std::make_shared<Impl>(loop, std::move(credentials), std::move(options), std::move(answer));
}

ControlClient::~ControlClient() {
  impl_->expiry.Clear();
  for (auto& [ticket, call] : impl_->calls) {
    if (call.attempt != nullptr) call.attempt->cancel.cancel();
  }
  impl_->gate->CloseAndWait();
  impl_->calls.clear();
}

void ControlClient::Send(Request request) {
  Impl& self = *impl_;
  const std::uint64_t ticket = ++self.last_ticket;
  const Mono due = ReadClocks().mono + request.deadline;
  const bool room = self.waiting.size() < kWaitingRequestsMax;
  // Without room it is answered as one that is late already.
  self.calls.emplace(ticket, Impl::Call{.request = std::move(request), .due = room ? due : Mono{}});
  self.ExpireAt(room ? due : Mono{});
  if (!room) return;
  self.waiting.push_back(ticket);
  self.StartWaiting();
}

bool ControlClientCanReach(const Credentials& credentials) {
  return !credentials.server.ipv6 && credentials.tls_server_name.empty() && !credentials.proxy;
}

}  // namespace jobrun
