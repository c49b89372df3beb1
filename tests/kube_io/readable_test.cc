// Readable of event_loop.h: a descriptor that the loop watches.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "controller/base/real_clock.h"
#include "controller/kube/event_loop.h"

namespace jobrun {
namespace {

class ReadableTest : public ::testing::Test {
 protected:
  ReadableTest() { EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0); }
  ~ReadableTest() override {
    close(ReadEnd());
    CloseWriteEnd();
  }

  [[nodiscard]] int ReadEnd() const { return ends[0]; }
  void Write(const std::string& text) {
    ASSERT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void CloseWriteEnd() {
    if (ends[1] >= 0) close(std::exchange(ends[1], -1));
  }
  // Whatever is due by then comes.
  void RunForAMoment() {
    loop.SetWake(ReadClocks().mono + std::chrono::milliseconds(10), [this] { loop.Stop(); });
    loop.Run();
  }

  EventLoop loop{};
  std::array<int, 2> ends{-1, -1};
  int calls{0};
};

TEST_F(ReadableTest, CallsBackWhenThereIsSomethingToRead) {
  Readable readable(loop, ReadEnd(), [this] {
    ++calls;
    loop.Stop();
  });
  readable.Await();
  RunForAMoment();
  EXPECT_EQ(calls, 0) << "nothing is there yet";
  loop.Post([this] { Write("x"); });
  loop.Run();
  EXPECT_EQ(calls, 1);
  char byte = 0;
  EXPECT_EQ(read(ReadEnd(), &byte, 1), 1) << "it is left for whoever is called";
  EXPECT_EQ(byte, 'x');
}

TEST_F(ReadableTest, NeverInsideAwait) {
  Write("x");
  Readable readable(loop, ReadEnd(), [this] { ++calls; });
  readable.Await();
  EXPECT_EQ(calls, 0);
  RunForAMoment();
  EXPECT_EQ(calls, 1);
}

TEST_F(ReadableTest, CallsBackOnceForEachAwait) {
  Readable readable(loop, ReadEnd(), [this] { ++calls; });
  Write("x");
  RunForAMoment();
  EXPECT_EQ(calls, 0) << "it was not asked";
  readable.Await();
  RunForAMoment();
  Write("y");
  RunForAMoment();
  EXPECT_EQ(calls, 1);
  readable.Await();
  RunForAMoment();
  EXPECT_EQ(calls, 2);
}

TEST_F(ReadableTest, ItsFunctionMayAwaitAgain) {
  std::string seen;
  std::unique_ptr<Readable> readable;
  readable = std::make_unique<Readable>(loop, ReadEnd(), [&] {
    char byte = 0;
    while (read(ReadEnd(), &byte, 1) == 1) seen += byte;
    if (seen.size() == 3) return loop.Stop();
    readable->Await();
    Write(std::to_string(seen.size()));
  });
  readable->Await();
  Write("0");
  loop.Run();
  EXPECT_EQ(seen, "012");
}

TEST_F(ReadableTest, TheOtherEndsCloseIsTold) {
  Readable readable(loop, ReadEnd(), [this] { ++calls; });
  readable.Await();
  CloseWriteEnd();
  RunForAMoment();
  EXPECT_EQ(calls, 1);
}

TEST_F(ReadableTest, ADestroyedOneStaysAwayAndLeavesTheDescriptorOpen) {
  {
    Readable readable(loop, ReadEnd(), [this] { ++calls; });
    readable.Await();
    Write("x");
  }
  RunForAMoment();
  EXPECT_EQ(calls, 0);
  char byte = 0;
  EXPECT_EQ(read(ReadEnd(), &byte, 1), 1);
}

TEST_F(ReadableTest, MayBeDestroyedInItsOwnFunction) {
  std::unique_ptr<Readable> readable;
  const auto alive = std::make_shared<int>(0);
  readable = std::make_unique<Readable>(loop, ReadEnd(), [&, alive] {
    readable.reset();
    ++*alive;
  });
  readable->Await();
  Write("x");
  RunForAMoment();
  EXPECT_EQ(*alive, 1) << "what it has captured lives as long as it runs";
}

}  // namespace
}  // namespace jobrun
