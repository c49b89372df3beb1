// What is sent to the API server and what comes back, as plain values: the engine makes the
// requests and judges the answers; kube/ carries them; tests play them from memory.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "controller/base/time.h"
#include "controller/model/observed_pod.h"
#include "controller/model/observed_run.h"

namespace jobrun {

enum class Method : std::uint8_t { kGet, kPost, kPut, kPatch, kDelete };

// Which connection carries a request, so that a storm of one kind can't starve another.
enum class RequestClass : std::uint8_t {
  kData,     // status writes and the live reads that go with them: many, small, latency matters
  kControl,  // discovery, lists: few, large
  kLease,    // leader election
  kEvent,    // Kubernetes Events: as many as verdicts, and nobody waits for them
};

// The collections that are watched.
enum class Watched : std::uint8_t { kJobRuns, kPods, kLeases };

using RequestId = std::uint64_t;
using StreamId = std::uint64_t;

struct Request {
  RequestId id{0};
  RequestClass klass{RequestClass::kControl};
  Method method{Method::kGet};
  std::string target{};        // origin form: path and query, percent-encoded
  std::string content_type{};  // empty without a body
  std::string body{};
  bool accepts_gzip{false};  // the answer may come packed; whoever carries it unpacks it
  Nanos deadline{std::chrono::seconds(10)};  // total, from hand-over to the last byte of the answer
};

// Exactly one for every Request, in any order. `status` 0: no whole answer came within the
// deadline; the request may or may not have been carried out.
struct Response {
  RequestId id{0};
  int status{0};
  std::optional<ServerTime> date{};  // the `Date` header; 1 s resolution
  std::optional<std::chrono::seconds> retry_after{};
  Mono sent_at{};  // before the first byte was handed to the kernel
  Mono received_at{};
  std::string body{};
  bool too_large{false};  // status 0 because the body was longer than is accepted
  std::string detail{};   // for people: what went wrong when status is 0 or 401, else empty
};

// Opens a watch. Its answer is StreamOpened or StreamClosed; after StreamOpened come any number of
// StreamEvents and one StreamClosed.
struct OpenStream {
  StreamId id{0};
  Watched watched{Watched::kJobRuns};  // how its objects are decoded
  std::string target{};
  Nanos open_deadline{std::chrono::seconds(10)};  // until the status line and headers
  Nanos idle_deadline{std::chrono::seconds(90)};  // longest silence of an open stream
  Nanos total_deadline{std::chrono::minutes(11)};
};

// After CloseStream nothing more comes for that id, not even StreamClosed.
struct CloseStream {
  StreamId id{0};
};

struct StreamOpened {
  StreamId id{0};
  std::optional<ServerTime> date{};
  Mono sent_at{};
  Mono received_at{};
};

enum class EventType : std::uint8_t {
  kAdded,
  kModified,
  kDeleted,
  kBookmark,
  kError,    // the API server ends the watch with a Status
  kInvalid,  // a line or an object that can't be decoded; the others go on
};

// One decoded watch event. Views point into the stream's buffer and die with the engine turn.
struct Event {
  EventType type{EventType::kInvalid};
  bool initial_events_end{false};     // kBookmark: a WatchList has told all there was
  std::uint64_t resource_version{0};  // kBookmark
  ObservedRun run{};  // kAdded, kModified, kDeleted; kInvalid: names, where readable. Of other
                      // kinds of objects their metadata only
  ObservedPod pod{};  // of a pod
  std::string_view renew_time{};  // of a Lease: spec.renewTime
  int status_code{0};             // kError: e.g. 410
  std::string_view message{};     // kError: the server's words. kInvalid: what is wrong with it
};

struct StreamEvents {
  StreamId id{0};
  std::span<const Event> events{};
};

// `status` is the HTTP status when the watch was refused, 200 when the server ended it in order, 0
// when the connection failed or a deadline passed.
struct StreamClosed {
  StreamId id{0};
  int status{0};
  std::optional<std::chrono::seconds> retry_after{};
  std::string detail{};  // for people; the server's message when it refused
};

}  // namespace jobrun
