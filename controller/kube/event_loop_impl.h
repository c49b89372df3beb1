// What is behind EventLoop, for the .cc files of this folder that include Asio.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "controller/kube/event_loop.h"

namespace jobrun {

struct EventLoop::Impl {
  // One thread runs it: Asio can leave out what only several would need.
  boost::asio::io_context io{1};
  boost::asio::signal_set signals{io};
  std::function<void(int)> on_signal{};
  std::unique_ptr<Timer> wake{};

  void AwaitSignal();
};

}  // namespace jobrun
