// Between the engine and the soak's API server: requests and a watch that take their time, and
// while there are faults fail in every way a network can.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/random.h"
#include "tests/engine/engine_harness.h"
#include "tests/engine/soak_api.h"
#include "tests/engine/soak_server.h"

namespace jobrun {

class SoakNetwork {
 public:
  using OnRequest = std::function<void(const Request&, Mono arrives)>;
  using OnAnswer = std::function<void(const Request&, const SoakServer::Answer&)>;
  struct Parts {
    Random& random;
    SoakApi& api;
    SoakServer& server;
    EngineHarness& engine;
  };

  explicit SoakNetwork(Parts parts)
      : random_(parts.random),
        api_(parts.api),
        server_(parts.server),
        engine_(parts.engine),
        has_watch_list_(OneIn(2)) {}

  // Told of every request when it is sent, and of its answer just before the engine is.
  void Tap(OnRequest on_request, OnAnswer on_answer) {
    on_request_ = std::move(on_request);
    on_answer_ = std::move(on_answer);
  }
  void At(Mono when, std::function<void()> what) { agenda_.emplace(when, std::move(what)); }

  [[nodiscard]] bool OneIn(std::uint64_t n) { return random_.Below(n) == 0; }
  [[nodiscard]] bool Fault(std::uint64_t one_in) { return faults_ && OneIn(one_in); }
  // Of the data class; `verdicts`: only patches of runs that have not ended.
  [[nodiscard]] std::size_t InFlight(bool verdicts) const {
    return static_cast<std::size_t>(std::ranges::count_if(asked_, [&](const auto& asked) {
      const Request& request = asked.second.request;
      return request.klass == RequestClass::kData && (!verdicts || IsVerdict(request));
    }));
  }

  // Successors of that concurrencyKey that are being created.
  [[nodiscard]] std::size_t CreationsInFlight(const std::string& key) const {
    return static_cast<std::size_t>(std::ranges::count_if(asked_, [&](const auto& asked) {
      const Request& request = asked.second.request;
      return request.method == Method::kPost && SoakServer::SuccessorIn(request.body).key == key;
    }));
  }

  // From now on nothing goes wrong.
  void Mend() {
    faults_ = false;
    if (stream_.silent) End(0);
  }

  // The engine is about to die. Nobody is left to hear what it is told; what it has asked for may
  // come to pass all the same.
  void Orphan() {
    ++life_;
    asked_.clear();
    stream_ = {.serial = stream_.serial + 1};
  }

  void PassUntil(Mono until) {
    Tend();
    while (true) {
      const Mono next = agenda_.empty() ? until : std::min(until, agenda_.begin()->first);
      engine_.PassTo(next);
      Tend();
      if (engine_.Time() < next) continue;
      if (agenda_.empty() || agenda_.begin()->first > until) return;
      const std::function<void()> due = std::move(agenda_.begin()->second);
      agenda_.erase(agenda_.begin());
      due();
      Tend();
    }
  }

  // Takes what the engine has asked for since and sees to it.
  void Tend() {
    for (const Request& request : engine_.TakeRequests()) Carry(request);
    if (engine_.LastStream().id != stream_.id) {
      stream_ = {.id = engine_.LastStream().id, .serial = stream_.serial + 1};
      AtStream(Delay(), &SoakNetwork::AnswerWatch);
    }
    const bool news = !stream_.initial.empty() || stream_.position < api_.Version();
    if (!stream_.open || stream_.silent || stream_.telling || !news) return;
    stream_.telling = true;
    AtStream(Delay(), &SoakNetwork::Tell);
  }

  void TroubleStream() {
    if (!stream_.open) return;
    if (OneIn(3)) return Break();
    if (OneIn(3)) return End(OneIn(2) ? 200 : 0);
    if (OneIn(3)) {
      stream_.silent = true;
      AtStream(std::chrono::seconds(90), &SoakNetwork::EndSilent);
      return;
    }
    if (stream_.initial.empty()) Repeat();
  }

  // The server has forgotten where the watch is.
  void Expire() {
    if (stream_.open) Break();
  }

  // Something of a stream or request that is long over.
  void Haunt() {
    const std::uint64_t old = 1 + random_.Below(20);
    if (old == stream_.id || asked_.contains(old)) return;
    engine_.Give(StreamClosed{.id = old, .status = 410});
    engine_.Give(Response{.id = old, .status = 200, .body = "{}"});
  }

 private:
  struct Stream {
    StreamId id{0};
    std::uint64_t serial{0};  // ids come again after a restart
    bool open{false};
    bool silent{false};   // half-open: nothing comes any more
    bool telling{false};  // something is under way
    std::uint64_t position{0};
    std::deque<std::string> initial{};
  };

  // ---- requests ----

  [[nodiscard]] Nanos Delay() {
    if (!faults_) return std::chrono::milliseconds(5);
    return std::chrono::milliseconds(random_.Below(OneIn(4) ? 4000 : 100));
  }
  [[nodiscard]] int FailedStatus() {
    static constexpr int kStatuses[] = {403, 429, 429, 500, 503};
    return kStatuses[random_.Below(std::size(kStatuses))];
  }

  static bool IsVerdict(const Request& request) {
    return request.method == Method::kPatch &&
           TextField(request.body, "startTime") + TextField(request.body, "phase") != "";
  }

  void Carry(const Request& request) {
    const Mono sent = engine_.Time();
    const Mono arrives = sent + Delay();
    asked_.insert_or_assign(request.id, Asked{request, sent});
    on_request_(request, arrives);
    if (Fault(10)) {  // 409: two writers of a quota, say; nothing of that name exists
      const bool collides = request.method == Method::kPost && OneIn(3);
      return Answer(request, {collides ? 409 : FailedStatus(), StatusText(500, "no")}, arrives);
    }
    const Mono given_up = sent + std::chrono::seconds(1 + random_.Below(9));
    if (Fault(12)) return Answer(request, {0, {}}, given_up);
    if (Fault(12)) {  // the server gets it, sooner or later; the engine does not learn of that
      At(sent + std::chrono::seconds(random_.Below(15)),
         [this, request] { (void)server_.Handle(request); });
      return Answer(request, {0, {}}, given_up);
    }
    At(arrives, [this, request, life = life_] {
      if (life != life_ && OneIn(2)) return;  // it died before it had sent it all
      const SoakServer::Answer answer = server_.Handle(request);
      if (life == life_) Answer(request, answer, engine_.Time() + Delay());
    });
  }

  // The `Date` is that of now, when the server made the answer.
  void Answer(const Request& request, SoakServer::Answer answer, Mono when) {
    Response response{.id = request.id,
                      .status = answer.status,
                      .date = engine_.ServerNow(),
                      .sent_at = asked_.at(request.id).at,
                      .body = answer.body};
    if (response.status == 0) response.date.reset();
    if (response.status == 429 && OneIn(2)) response.retry_after = Seconds(random_.Below(4));
    At(when, [this, life = life_, request, answer, response = std::move(response)]() mutable {
      if (life != life_) return;
      asked_.erase(response.id);
      response.received_at = engine_.Time();
      on_answer_(request, answer);
      engine_.Give(response);
    });
  }

  // ---- the watch ----

  // Not for a stream that has been replaced by then.
  void AtStream(Nanos in, void (SoakNetwork::*what)()) {
    At(engine_.Time() + in, [this, what, serial = stream_.serial] {
      if (serial == stream_.serial) (this->*what)();
    });
  }

  void AnswerWatch() {
    const std::string from = Parameter(engine_.LastStream().target, "resourceVersion");
    if (from.empty() && !has_watch_list_) return End(400);
    if (Fault(6)) return End(OneIn(2) ? 0 : FailedStatus());
    stream_.position = from.empty() ? api_.Version() : std::stoul(from);
    if (!api_.Remembers(stream_.position)) return End(410);
    if (from.empty()) {
      for (const auto& [name, run] : api_.All())
        stream_.initial.push_back(run.object.Line("ADDED"));
      stream_.initial.push_back(InitialEventsEnd(stream_.position));
    }
    stream_.open = true;
    engine_.Opened();
  }

  void Tell() {
    stream_.telling = false;
    if (!stream_.open || stream_.silent) return;
    if (Fault(60)) return End(OneIn(2) ? 200 : 0);
    std::vector<std::string> lines;
    std::size_t count = faults_ ? 1 + random_.Below(6) : 100;
    for (; count > 0 && !stream_.initial.empty(); --count) {
      lines.push_back(std::move(stream_.initial.front()));
      stream_.initial.pop_front();
    }
    if (!api_.Remembers(stream_.position)) return Break();
    for (; count > 0 && stream_.initial.empty() && stream_.position < api_.Version(); --count) {
      lines.push_back(api_.LineAt(++stream_.position));
    }
    if (stream_.initial.empty() && OneIn(8)) lines.push_back(Bookmark(stream_.position));
    engine_.Lines(lines);
  }

  // Events of late once more. A bookmark sees to it that the watch is not resumed before them.
  void Repeat() {
    std::vector<std::string> lines;
    for (std::uint64_t back = random_.Below(6); back > 0; --back) {
      const auto change = api_.Log().find(stream_.position - back);
      if (change == api_.Log().end() || !IsThere(change->second.run)) continue;
      lines.push_back(api_.LineAt(change->first));
    }
    lines.push_back(Bookmark(stream_.position));
    engine_.Lines(lines);
  }
  [[nodiscard]] bool IsThere(const SoakRun& run) const {
    const auto found = api_.All().find(run.object.name);
    return found != api_.All().end() && found->second.object.uid == run.object.uid;
  }

  void Break() {
    stream_.open = false;
    engine_.Lines({ErrorLine(OneIn(2) || !faults_ ? 410 : 500)});
  }
  void End(int status) {
    stream_.open = stream_.silent = false;
    engine_.CutStream(status);
  }
  void EndSilent() {
    if (stream_.silent) End(0);
  }

  struct Asked {
    Request request;
    Mono at;
  };

  Random& random_;
  SoakApi& api_;
  SoakServer& server_;
  EngineHarness& engine_;
  OnRequest on_request_;
  OnAnswer on_answer_;
  bool has_watch_list_;
  bool faults_{true};
  Stream stream_;
  std::map<RequestId, Asked> asked_;
  std::uint64_t life_{1};  // of the engine
  std::multimap<Mono, std::function<void()>> agenda_;
};

}  // namespace jobrun
