// Stands in for everything around a Driver: an engine that answers from a script, a loop that runs
// when told to, clocks that are set, a network that only writes down what it is asked.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "controller/app/driver.h"

namespace jobrun {

class FakeTransport : public Transport {
 public:
  void Send(Request request) override {
    sent.push_back(std::move(request));
    if (on_send) on_send(sent.back());
  }
  void Open(const OpenStream& stream) override { opened.push_back(stream.id); }
  void Close(const CloseStream& stream) override { closed.push_back(stream.id); }

  std::vector<Request> sent{};
  std::vector<StreamId> opened{};
  std::vector<StreamId> closed{};
  std::function<void(const Request&)> on_send{};
};

class FakeLog : public LogSink {
 public:
  void Write(const LogLine& line) override {
    Flush();
    lines.push_back(line.message);
  }
  void Hold(const LogLine& line) override { held.push_back(line.message); }
  void Flush() override {
    lines.insert(lines.end(), held.begin(), held.end());
    held.clear();
  }
  std::vector<std::string> lines{};
  std::vector<std::string> held{};
};

struct FakeParts {
  // What the engine says to an input; tests that don't set it have an engine that says nothing.
  std::function<void(const Input&, Effects&)> engine{};
  Health health{};
  std::vector<std::string> lanes{"default", "other"};
  Clocks now{.mono = Mono{std::chrono::seconds(1000)}};
  ServerTime wall{std::chrono::seconds(1'700'000'000)};
  Mono wake_at{Mono::max()};
  std::function<void()> wake{};
  bool loop_stopped{false};
  int turns{0};

  DriverParts Parts() {
    return {.step =
                [this](const Clocks&, const Input& input, Effects& effects) {
                  ++turns;
                  EXPECT_TRUE(effects.empty());
                  if (engine) engine(input, effects);
                },
            .health = [this] { return health; },
            .lanes = [this] { return lanes; },
            .post =
                [this](std::function<void()> function) {
                  const std::lock_guard lock(mutex_);
                  posted_.push_back(std::move(function));
                },
            .set_wake =
                [this](Mono at, std::function<void()> function) {
                  wake_at = at;
                  wake = std::move(function);
                },
            .stop_loop = [this] { loop_stopped = true; },
            .clocks =
                [this] {
                  const std::lock_guard lock(mutex_);
                  return now;
                },
            .wall = [this] { return wall; },
            .process_id = "proc"};
  }

  // Runs what was posted, also what that posts. Returns how many there were.
  int RunPosted() {
    int count = 0;
    for (;; ++count) {
      std::function<void()> function;
      {
        const std::lock_guard lock(mutex_);
        if (posted_.empty()) return count;
        function = std::move(posted_.front());
        posted_.pop_front();
      }
      function();
    }
  }

  // Also while other threads ask for the time.
  void Advance(Nanos time) {
    const std::lock_guard lock(mutex_);
    now.mono += time;
  }

  // Lets time pass until the wake the driver asked for.
  void Wake() {
    ASSERT_NE(wake, nullptr);
    now.mono = std::max(now.mono, wake_at);
    const auto function = std::exchange(wake, nullptr);
    wake_at = Mono::max();
    function();
  }

 private:
  std::mutex mutex_{};
  std::deque<std::function<void()>> posted_{};
};

}  // namespace jobrun
