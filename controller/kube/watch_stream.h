// One watch: a request whose answer never ends, cut into lines and decoded as it comes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/kube/chunk_reader.h"
#include "controller/kube/connection.h"
#include "controller/kube/event_loop.h"
#include "controller/kube/http_reply.h"
#include "controller/kube/live_credentials.h"
#include "controller/kube/transport.h"
#include "controller/wire/event_decoder.h"
#include "controller/wire/exchange.h"
#include "controller/wire/line_splitter.h"

namespace jobrun {

// Longest body of a refused watch that is read: a Status object is a few hundred bytes.
inline constexpr std::size_t kRefusalBytesMax = std::size_t{64} * 1024;
// What is read before the events in it are handed on, and so most of what a batch holds: about 40
// events of 1.6 KB.
inline constexpr std::size_t kWatchReadBytes = std::size_t{64} * 1024;
// A stream that has more to read than this at once lets others of the loop go first (a first list
// as a watch is 160 MB for 100,000 runs).
inline constexpr std::size_t kWatchTurnBytes = std::size_t{1} << 20U;

struct WatchSettings {
  Nanos rest_min{};  // TransportOptions::watch_rest_min
  Nanos rest_max{};
  std::string user_agent{};
};

// Belongs to the loop's thread; calls the sink on it, never from within Start. Memory is bounded by
// the line splitter's longest line. Nothing is read while the sink works: that is the
// back-pressure. After its destruction nothing more comes; it may be destroyed within the sink's
// callbacks.
class WatchStream {
 public:
  WatchStream(EventLoop& loop, std::shared_ptr<LiveCredentials> credentials, WatchSettings settings,
              TransportSink& sink);
  ~WatchStream();
  WatchStream(const WatchStream&) = delete;
  WatchStream& operator=(const WatchStream&) = delete;

  // Once. `over` is called right before the sink's OnStreamClosed, so that the owner can forget the
  // stream (and destroy it).
  void Start(OpenStream open, std::function<void()> over);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace jobrun
