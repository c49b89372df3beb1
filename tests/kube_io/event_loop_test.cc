#include "controller/kube/event_loop.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>
#include <vector>

#include "controller/base/real_clock.h"

namespace jobrun {
namespace {

using std::chrono::milliseconds;

TEST(EventLoopTest, RunsWhatIsPostedInOrderUntilStop) {
  EventLoop loop;
  std::vector<int> order;
  loop.Post([&] { order.push_back(1); });
  loop.Post([&] {
    order.push_back(2);
    loop.Stop();
  });
  loop.Post([&] { order.push_back(3); });
  loop.Run();
  EXPECT_EQ(order, (std::vector{1, 2}));
  loop.Post([&] { loop.Stop(); });
  loop.Run();
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(EventLoopTest, RunsAgainAfterNothingWasLeft) {
  EventLoop loop;
  loop.Post([&] { loop.Stop(); });
  loop.Run();
  bool ran = false;
  loop.Post([&] {
    ran = true;
    loop.Stop();
  });
  loop.Run();
  EXPECT_TRUE(ran);
}

TEST(EventLoopTest, AStopBeforeRunMakesItReturnAtOnce) {
  EventLoop loop;
  loop.Post([] { ADD_FAILURE(); });
  loop.Stop();
  loop.Run();
}

TEST(EventLoopTest, TakesPostsAndStopFromOtherThreads) {
  EventLoop loop;
  int count = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop.Post([&] { ++count; });
    loop.Post([&] { loop.Stop(); });
  });
  loop.Run();
  other.join();
  EXPECT_EQ(count, 1000);
}

TEST(EventLoopTest, WakesNeverEarly) {
  EventLoop loop;
  const Mono due = ReadClocks().mono + milliseconds(20);
  Mono woke{};
  loop.SetWake(due, [&] {
    woke = ReadClocks().mono;
    loop.Stop();
  });
  loop.Run();
  EXPECT_GE(woke, due);
}

TEST(EventLoopTest, ALaterWakeReplacesTheOneBefore) {
  EventLoop loop;
  const Mono now = ReadClocks().mono;
  std::vector<int> woke;
  loop.SetWake(now + milliseconds(1), [&] { woke.push_back(1); });
  loop.SetWake(now + milliseconds(20), [&] {
    woke.push_back(2);
    loop.Stop();
  });
  loop.Run();
  EXPECT_EQ(woke, (std::vector{2}));
}

TEST(EventLoopTest, AnEarlierWakeReplacesTheOneBefore) {
  EventLoop loop;
  const Mono now = ReadClocks().mono;
  loop.SetWake(Mono::max(), [&] { ADD_FAILURE(); });
  loop.SetWake(now + std::chrono::hours(1), [&] { ADD_FAILURE(); });
  loop.SetWake(now - milliseconds(1), [&] { loop.Stop(); });
  loop.Run();
}

TEST(EventLoopTest, AClearedWakeStaysAway) {
  EventLoop loop;
  Timer timer(loop);
  const Mono now = ReadClocks().mono;
  loop.SetWake(now + milliseconds(1), [&] { ADD_FAILURE(); });
  loop.ClearWake();
  timer.Set(now + milliseconds(10), [&] { loop.Stop(); });
  loop.Run();
}

TEST(EventLoopTest, ADestroyedTimerStaysAway) {
  EventLoop loop;
  {
    Timer timer(loop);
    timer.Set(ReadClocks().mono, [&] { ADD_FAILURE(); });
  }
  loop.SetWake(ReadClocks().mono + milliseconds(10), [&] { loop.Stop(); });
  loop.Run();
}

TEST(EventLoopTest, ATimerMaySetItselfAgain) {
  EventLoop loop;
  Timer timer(loop);
  int count = 0;
  std::function<void()> tick = [&] {
    if (++count == 5) return loop.Stop();
    timer.Set(ReadClocks().mono + milliseconds(1), tick);
  };
  timer.Set(ReadClocks().mono, tick);
  loop.Run();
  EXPECT_EQ(count, 5);
}

TEST(EventLoopTest, TellsOfSignals) {
  EventLoop loop;
  std::vector<int> came;
  loop.OnSignal({SIGUSR1, SIGUSR2}, [&](int signal) {
    came.push_back(signal);
    if (came.size() == 2) loop.Stop();
  });
  loop.Post([] { std::raise(SIGUSR1); });
  loop.Post([] { std::raise(SIGUSR2); });
  loop.Run();
  EXPECT_EQ(came, (std::vector{SIGUSR1, SIGUSR2}));
}

}  // namespace
}  // namespace jobrun
