#include "controller/kube/event_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "controller/base/real_clock.h"
#include "controller/kube/event_loop_impl.h"

namespace jobrun {

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
  impl_->wake = std::make_unique<Timer>(*this);
}

EventLoop::~EventLoop() = default;

void EventLoop::Run() {
  {
    const auto work = boost::asio::make_work_guard(impl_->io);
    impl_->io.run();
  }
  impl_->io.restart();  // last: the end of the last work stops the loop as well
}

void EventLoop::Stop() { impl_->io.stop(); }

void EventLoop::Post(std::function<void()> function) {
  boost::asio::post(impl_->io, std::move(function));
}

void EventLoop::SetWake(Mono at, std::function<void()> function) {
  impl_->wake->Set(at, std::move(function));
}

void EventLoop::ClearWake() { impl_->wake->Clear(); }

void EventLoop::OnSignal(std::initializer_list<int> signals, std::function<void(int)> function) {
  impl_->on_signal = std::move(function);
  for (const int signal : signals) impl_->signals.add(signal);
  impl_->AwaitSignal();
}

void EventLoop::Impl::AwaitSignal() {
  signals.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    AwaitSignal();
    on_signal(signal);
  });
}

struct Timer::Impl : std::enable_shared_from_this<Timer::Impl> {
  explicit Impl(boost::asio::io_context& io) : timer(io) {}

  void Arm(Mono due);
  void Fired();

  boost::asio::steady_timer timer;
  std::function<void()> function{};
  Mono at{Mono::max()};
  Mono armed_for{Mono::max()};  // when the timer fires; max: it is not armed
};

Timer::Timer(EventLoop& loop) : impl_(std::make_shared<Impl>(loop.impl().io)) {}

// Asio's timers have no way to fail here that it could tell of.
// NOLINTNEXTLINE(bugprone-exception-escape)
Timer::~Timer() {
  Clear();
  impl_->timer.cancel();
}

void Timer::Set(Mono at, std::function<void()> function) {
  impl_->at = at;
  impl_->function = std::move(function);
  if (at < impl_->armed_for) impl_->Arm(at);
}

void Timer::Clear() {
  impl_->at = Mono::max();
  impl_->function = nullptr;
}

void Timer::Impl::Arm(Mono due) {
  // Far times would overflow the timer; it then fires once a day and arms itself again.
  constexpr Nanos kLongest = std::chrono::hours(24);
  const Mono now = ReadClocks().mono;
  const Nanos wait = due <= now ? Nanos{0} : due - now < kLongest ? due - now : kLongest;
  armed_for = now + wait;
  timer.expires_after(wait);
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (error) return;
    if (const std::shared_ptr<Impl> self = weak.lock()) self->Fired();
  });
}

void Timer::Impl::Fired() {
  armed_for = Mono::max();
  if (function == nullptr) return;
  if (ReadClocks().mono < at) return Arm(at);
  at = Mono::max();
  const std::function<void()> due = std::exchange(function, nullptr);
  due();
}

struct Readable::Impl : std::enable_shared_from_this<Readable::Impl> {
  Impl(boost::asio::io_context& io, int fd, std::function<void()> readable)
      : descriptor(io, fd), function(std::move(readable)) {}

  boost::asio::posix::stream_descriptor descriptor;
  std::function<void()> function;
};

Readable::Readable(EventLoop& loop, int fd, std::function<void()> readable)
    : impl_(std::make_shared<Impl>(loop.impl().io, fd, std::move(readable))) {}

Readable::~Readable() { impl_->descriptor.release(); }

void Readable::Await() {
  impl_->descriptor.async_wait(
      boost::asio::posix::stream_descriptor::wait_read,
      [weak = std::weak_ptr(impl_)](const boost::system::error_code& error) {
        const std::shared_ptr<Impl> self = weak.lock();
        if (!error && self != nullptr) self->function();
      });
}

}  // namespace jobrun
