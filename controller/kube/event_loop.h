// The one thread on which the engine runs and the network answers: a plain face of an Asio
// io_context, so that nobody above has to include Asio.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "controller/base/time.h"

namespace jobrun {

// Made on any thread; everything but Post and Stop belongs to the thread that calls Run, before or
// while it does. Functions handed in run on that thread, one at a time, never inside the call that
// handed them in. An exception that one lets escape leaves Run. Functions that never got to run are
// dropped by the destructor, which may wait for a name look-up under way (the system's resolver
// can't be interrupted).
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs until Stop; can be called again afterwards.
  void Run();
  // Any thread. Run returns after the function that is running now; a Stop before Run makes it
  // return at once.
  void Stop();
  // Any thread. In the order handed over. Unbounded here: whoever posts bounds what is under way.
  void Post(std::function<void()> function);

  // The loop's one wake, for its engine: see Timer.
  void SetWake(Mono at, std::function<void()> function);
  void ClearWake();

  // Calls `function` with the number of every signal of `signals` that arrives from now on, in
  // place of its default action. Call once.
  void OnSignal(std::initializer_list<int> signals, std::function<void(int)> function);

  struct Impl;  // event_loop_impl.h, for the .cc files of this folder
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// A timer of a loop, for one function at a time. Belongs to the loop's thread; the loop must
// outlive it. Never calls back after Clear or its own destruction.
class Timer {
 public:
  explicit Timer(EventLoop& loop);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Calls `function` once at `at` (CLOCK_MONOTONIC), never early; replaces what was set before.
  // Cheap when called often: the kernel's timer is touched only when the time moves forward, and a
  // time that moved back is noticed when the old one comes.
  void Set(Mono at, std::function<void()> function);
  void Clear();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Watches a file descriptor that poll can watch (a pipe, a socket) for something to read. Belongs
// to the loop's thread; the loop must outlive it. The descriptor stays the caller's and must stay
// open while this lives.
class Readable {
 public:
  Readable(EventLoop& loop, int fd, std::function<void()> readable);
  ~Readable();
  Readable(const Readable&) = delete;
  Readable& operator=(const Readable&) = delete;

  // Calls back once, when there is something to read or the other end is closed.
  void Await();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace jobrun
