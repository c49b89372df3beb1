// The network as its users see it: requests and watches go in, answers come back on one thread. Two
// implementations stand behind it, chosen by RequestClass: cpprestsdk for control calls,
// Boost.Beast for the data path. Callers can't tell them apart.
#pragma once

#include <memory>
#include <span>

#include "controller/wire/exchange.h"

namespace jobrun {

// Called on the transport's one callback thread only.
class TransportSink {
 public:
  virtual ~TransportSink() = default;
  virtual void OnResponse(Response response) = 0;
  virtual void OnStreamOpened(const StreamOpened& opened) = 0;
  virtual void OnStreamEvents(const StreamEvents& events) = 0;  // views die when it returns
  virtual void OnStreamClosed(StreamClosed closed) = 0;
};

// Every Send is answered by exactly one OnResponse, within its deadline plus scheduling. Called on
// the callback thread only, also from within a callback; never calls back before it returns. What
// is still under way when a Transport is destroyed is not answered.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual void Send(Request request) = 0;
  virtual void Open(const OpenStream& stream) = 0;
  virtual void Close(const CloseStream& stream) = 0;
};

}  // namespace jobrun
