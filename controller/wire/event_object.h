// Kubernetes Events (events.k8s.io/v1) about JobRuns, and about the controller's own pod: what
// `kubectl describe` shows people. Not to be confused with Event (exchange.h), which is what a
// watch tells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controller/base/time.h"
#include "controller/model/uid.h"

namespace jobrun {

// The API server's limits, in bytes (kubernetes/pkg/apis/core/validation/events.go, and
// metadata's).
inline constexpr std::size_t kEventWordMax = 128;  // reason, action, reportingInstance
inline constexpr std::size_t kEventNoteMax = 1024;
inline constexpr std::size_t kEventNameMax = 253;

// Who reports: the same for all replicas.
inline constexpr std::string_view kReportingController = "jobrun.dev/controller";

enum class EventSeverity : std::uint8_t { kNormal, kWarning };

// What an Event is about.
enum class EventSubject : std::uint8_t { kJobRun, kPod };

// Something about a run, or about the controller itself, that is worth telling.
struct RunEvent {
  EventSubject subject{EventSubject::kJobRun};
  std::string name_space{};
  std::string name{};
  Uid uid{};                          // none: not known (of a pod only)
  std::uint64_t resource_version{0};  // of the run as it was told about; 0: not known
  EventSeverity severity{EventSeverity::kNormal};
  std::string reason{};            // CamelCase
  std::string action{};            // CamelCase: what the controller did, or tried to do
  std::string note{};              // for people; cut to kEventNoteMax when it is written
  std::optional<ServerTime> at{};  // when it happened, on the API server's clock where it is known
};

// How often an Event has happened up to now, for those that happened more than once.
struct EventSeries {
  std::uint32_t count{2};
  ServerTime last_observed{};
};

// What an Event has besides what it tells.
struct EventOrigin {
  std::string_view name{};      // of the Event itself: EventName
  std::string_view instance{};  // reportingInstance: which process reports
  ServerTime at{};              // eventTime
};

// `run`.`stamp` in hexadecimal, as client-go names Events, the run's name cut where that would be
// too long. `stamp` must be another one for each Event about runs of one name.
[[nodiscard]] std::string EventName(std::string_view run, std::uint64_t stamp);

// The body of a POST.
[[nodiscard]] std::string WriteEvent(const RunEvent& event, const EventOrigin& origin,
                                     const std::optional<EventSeries>& series);

// A merge patch of an Event that is there.
[[nodiscard]] std::string WriteSeriesPatch(const EventSeries& series);

}  // namespace jobrun
