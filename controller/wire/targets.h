// Request targets (path and query) of the API server, percent-encoded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "controller/wire/exchange.h"

namespace jobrun {

// What the controller watches: all namespaces when `name_space` is empty; all labels when
// `selector` is; all values of fields when `field_selector` is.
struct WatchScope {
  std::string name_space{};
  std::string selector{};
  std::string field_selector{};  // e.g. "spec.lane=a"; of a JobRun the CRD's selectableFields
  Watched watched{Watched::kJobRuns};
};

// The fields of a JobRun that is active or still owes a retry: of one that is over, and settled,
// they are others. What is absent is none of these.
inline constexpr std::string_view kUnsettledFields =
    "status.phase!=Succeeded,status.retry.state!=Created,status.retry.state!=NotDue,"
    "status.retry.state!=Skipped,status.retry.state!=Blocked,status.retry.state!=Exhausted";

// Of one that is over. One without a status matches too: who lists them looks again.
inline constexpr std::string_view kOverFields = "status.phase!=Pending,status.phase!=Running";
// The field selector of what both select.
[[nodiscard]] std::string BothFields(std::string one, std::string_view other);

struct ListOptions {
  int limit{500};
  std::string continue_token{};
};

struct WatchOptions {
  std::string resource_version{};  // empty with `initial_events`
  bool initial_events{
      false};  // WatchList: sendInitialEvents=true&resourceVersionMatch=NotOlderThan
  std::chrono::seconds timeout{300};
};

[[nodiscard]] std::string ListTarget(const WatchScope& scope, const ListOptions& options);
[[nodiscard]] std::string WatchTarget(const WatchScope& scope, const WatchOptions& options);
[[nodiscard]] std::string RunTarget(std::string_view name_space, std::string_view name);
[[nodiscard]] std::string PodTarget(std::string_view name_space, std::string_view name);
[[nodiscard]] std::string LeaseTarget(std::string_view name_space, std::string_view name);
// Where a Lease is created.
[[nodiscard]] std::string LeasesTarget(std::string_view name_space);
[[nodiscard]] std::string CreateTarget(std::string_view name_space);
// The active (not terminal) runs of a concurrencyKey; consistent, because it names no version.
[[nodiscard]] std::string ActiveOfKeyTarget(std::string_view name_space, std::string_view key);
[[nodiscard]] std::string StatusTarget(std::string_view name_space, std::string_view name);
// The Events (events.k8s.io/v1) of a namespace; one of them.
[[nodiscard]] std::string EventsTarget(std::string_view name_space);
[[nodiscard]] std::string EventTarget(std::string_view name_space, std::string_view name);

// Percent-encodes everything but unreserved characters (RFC 3986).
[[nodiscard]] std::string EncodeQuery(std::string_view text);

}  // namespace jobrun
