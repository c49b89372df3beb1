// Drives a Reflector with a FakeHost in virtual time: plays the network to it.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/watch/reflector.h"
#include "controller/wire/line_splitter.h"
#include "tests/watch/fake_host.h"

namespace jobrun {

class ReflectorHarness {
 public:
  explicit ReflectorHarness(std::uint64_t seed = 1) : reflector_(host_, ReflectorOptions{}, seed) {
    reflector_.Start(now_);
  }
  ReflectorHarness(const ReflectorHarness&) = delete;
  ReflectorHarness& operator=(const ReflectorHarness&) = delete;

  [[nodiscard]] FakeHost& Host() { return host_; }
  [[nodiscard]] Reflector& Machine() { return reflector_; }
  [[nodiscard]] Mono Time() const { return now_; }

  // ---- the stream that is open ----

  void Opened() { reflector_.OnOpened({.id = StreamNow()}, now_); }
  // As one batch.
  void Lines(const std::vector<std::string>& lines) { LinesOf(StreamNow(), lines); }
  // Over, in the words of StreamClosed. 200: in order; 0: the connection failed or was silent too
  // long.
  void Ended(int status, std::string detail = "words", std::optional<Seconds> retry_after = {}) {
    const StreamId id = StreamNow();
    host_.TakeStream();
    EndedOf(id, status, std::move(detail), retry_after);
  }

  // ---- the request that is under way ----

  void Answer(int status, std::string body = {}, std::optional<Seconds> retry_after = {}) {
    Answer(Response{.status = status, .retry_after = retry_after, .body = std::move(body)});
  }
  void Answer(Response response) {
    const std::optional<Request> request = host_.TakeRequest();
    ASSERT_TRUE(request) << "nothing was asked";
    response.id = request->id;
    reflector_.OnResponse(response, now_);
  }

  // ---- whatever stream ----

  void LinesOf(StreamId stream, const std::vector<std::string>& lines) {
    std::vector<std::string> padded = lines;
    std::vector<Event> events;
    decoder_.Reset();
    for (std::string& line : padded) {
      const std::size_t size = line.size();
      line.append(LineSplitter::kPadding, ' ');
      events.push_back(decoder_.DecodeLine(std::string_view(line).substr(0, size)));
    }
    reflector_.OnEvents({.id = stream, .events = events}, now_);
  }
  void EndedOf(StreamId stream, int status, std::string detail = "words",
               std::optional<Seconds> retry_after = {}) {
    reflector_.OnClosed(
        {.id = stream, .status = status, .retry_after = retry_after, .detail = std::move(detail)},
        now_);
  }

  // ---- time ----

  // Nothing when it does not wait for time.
  [[nodiscard]] std::optional<Nanos> Waits() const {
    const std::optional<Mono> wake = reflector_.NextWake();
    if (!wake) return std::nullopt;
    return *wake - now_;
  }
  // Lets time pass; it is woken whenever it asked to be.
  void Pass(Nanos time) {
    const Mono until = now_ + time;
    while (reflector_.NextWake() && *reflector_.NextWake() <= until) {
      now_ = std::max(now_, *reflector_.NextWake());
      reflector_.OnWake(now_);
    }
    now_ = until;
    reflector_.OnWake(now_);
  }
  // To the end of the present wait; how long that was.
  Nanos PassWait() {
    const Nanos wait = Waits().value_or(Nanos(-1));
    EXPECT_GE(wait, Nanos::zero()) << "it does not wait";
    Pass(std::max(wait, Nanos::zero()));
    return wait;
  }

  // ---- shortcuts ----

  // A complete WatchList of these; the watch goes on from `version`. Forgets the calls that led
  // there.
  void Sync(const std::vector<Item>& items, std::uint64_t version) {
    Opened();
    std::vector<std::string> lines;
    for (const Item& item : items) lines.push_back(Added(item));
    lines.push_back(InitialEventsEnd(version));
    Lines(lines);
    host_.ForgetCalls();
  }
  // On a server that has no WatchList: a list of one page, then a watch from it.
  void SyncByPages(const std::vector<Item>& items, std::uint64_t version) {
    Ended(400);
    Answer(200, PageText(version, items));
    Opened();
    host_.ForgetCalls();
  }

 private:
  StreamId StreamNow() {
    EXPECT_TRUE(host_.Stream()) << "no stream was asked for";
    return host_.Stream() ? host_.Stream()->id : 0;
  }

  FakeHost host_;
  EventDecoder decoder_;
  Reflector reflector_;
  Mono now_{std::chrono::hours(1)};
};

using Calls = std::vector<std::string>;
using Copy = std::map<std::string, std::uint64_t>;

}  // namespace jobrun
