#include "controller/wire/targets.h"

#include <array>

namespace jobrun {
namespace {

// Of Watched.
struct Collection {
  std::string_view api;
  std::string_view plural;
};
constexpr std::array<Collection, 3> kCollections = {{{"/apis/jobrun.dev/v1", "/jobruns"},
                                                     {"/api/v1", "/pods"},
                                                     {"/apis/coordination.k8s.io/v1", "/leases"}}};

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string CollectionPath(std::string_view name_space, Watched watched = Watched::kJobRuns) {
  const Collection& collection = kCollections.at(static_cast<std::size_t>(watched));
  std::string path(collection.api);
  if (!name_space.empty()) path.append("/namespaces/").append(EncodeQuery(name_space));
  return path.append(collection.plural);
}

// Appends name=value to a target; nothing for an empty value.
void AddParameter(std::string& target, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  target += target.find('?') == std::string::npos ? '?' : '&';
  target.append(name).append("=").append(EncodeQuery(value));
}

}  // namespace

std::string ListTarget(const WatchScope& scope, const ListOptions& options) {
  std::string target = CollectionPath(scope.name_space, scope.watched);
  if (options.limit > 0) AddParameter(target, "limit", std::to_string(options.limit));
  AddParameter(target, "continue", options.continue_token);
  AddParameter(target, "labelSelector", scope.selector);
  AddParameter(target, "fieldSelector", scope.field_selector);
  return target;
}

std::string WatchTarget(const WatchScope& scope, const WatchOptions& options) {
  std::string target = CollectionPath(scope.name_space, scope.watched);
  AddParameter(target, "watch", "true");
  AddParameter(target, "allowWatchBookmarks", "true");
  AddParameter(target, "timeoutSeconds", std::to_string(options.timeout.count()));
  if (options.initial_events) {
    AddParameter(target, "sendInitialEvents", "true");
    AddParameter(target, "resourceVersionMatch", "NotOlderThan");
  }
  AddParameter(target, "resourceVersion", options.resource_version);
  AddParameter(target, "labelSelector", scope.selector);
  AddParameter(target, "fieldSelector", scope.field_selector);
  return target;
}

std::string BothFields(std::string one, std::string_view other) {
  if (!one.empty() && !other.empty()) one += ',';
  return one.append(other);
}

std::string RunTarget(std::string_view name_space, std::string_view name) {
  return CollectionPath(name_space).append("/").append(EncodeQuery(name));
}

std::string PodTarget(std::string_view name_space, std::string_view name) {
  return CollectionPath(name_space, Watched::kPods).append("/").append(EncodeQuery(name));
}

std::string LeaseTarget(std::string_view name_space, std::string_view name) {
  return CollectionPath(name_space, Watched::kLeases).append("/").append(EncodeQuery(name));
}

std::string LeasesTarget(std::string_view name_space) {
  return CollectionPath(name_space, Watched::kLeases);
}

std::string CreateTarget(std::string_view name_space) { return CollectionPath(name_space); }

std::string ActiveOfKeyTarget(std::string_view name_space, std::string_view key) {
  std::string value;  // field selectors know these escapes
  for (const char c : key) {
    if (c == '\\' || c == ',' || c == '=') value += '\\';
    value += c;
  }
  std::string target = CollectionPath(name_space);
  AddParameter(target, "limit", "500");
  AddParameter(target, "fieldSelector",
               "spec.concurrencyKey=" + value +
                   ",status.phase!=Succeeded,status.phase!=Failed,status.phase!=Stuck");
  return target;
}

std::string StatusTarget(std::string_view name_space, std::string_view name) {
  return RunTarget(name_space, name).append("/status");
}

std::string EventsTarget(std::string_view name_space) {
  return "/apis/events.k8s.io/v1/namespaces/" + EncodeQuery(name_space) + "/events";
}

std::string EventTarget(std::string_view name_space, std::string_view name) {
  return EventsTarget(name_space).append("/").append(EncodeQuery(name));
}

std::string EncodeQuery(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c)) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kHex[byte >> 4U];
      encoded += kHex[byte & 0xfU];
    }
  }
  return encoded;
}

}  // namespace jobrun
