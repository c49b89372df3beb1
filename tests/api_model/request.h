// Requests and replies of the API model as plain values, and how a request's target and headers are
// read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/api_model/resource_type.h"
#include "tests/api_model/status.h"

namespace jobrun::api_model {

// One HTTP request; header values as received, empty when absent. `target` is path and query.
struct Request {
  std::string method{};
  std::string target{};
  std::string accept{};
  std::string content_type{};
  std::string user_agent{};
  std::string body{};
};

using SubscriptionId = std::uint64_t;

// One answer. With `watch` the body is empty and continues as a stream: ApiModel::Drain.
struct Reply {
  int status = 200;
  std::string content_type{"application/json"};
  std::string body{};
  std::vector<std::string> warnings{};  // values of `Warning` headers
  int retry_after_seconds = 0;          // 0: no `Retry-After` header
  std::optional<SubscriptionId> watch{};
};

[[nodiscard]] Reply JsonReply(int status, const Json& body);
[[nodiscard]] Reply RefusalReply(const Refusal& refusal);

class Query {
 public:
  // Percent-decoded; the first of repeated parameters counts.
  static Query Parse(std::string_view text);
  // "" when absent.
  [[nodiscard]] std::string Get(const std::string& name) const;
  [[nodiscard]] bool Has(const std::string& name) const { return values_.contains(name); }
  // "true" and "1" are true.
  [[nodiscard]] bool Flag(const std::string& name) const;

 private:
  std::map<std::string, std::string> values_{};
};

// What the client wants to see.
enum class Shape : unsigned char { kObject, kTable, kPartial, kAggregatedDiscovery, kNone };
[[nodiscard]] Shape ShapeOf(const std::string& accept);

// "application/json; charset=utf-8" to "application/json".
[[nodiscard]] std::string MediaType(const std::string& content_type);

// The path split at '/', without empty parts, percent-decoded.
[[nodiscard]] std::vector<std::string> PathParts(std::string_view path);

struct ResourcePath {
  const ResourceType* type = nullptr;
  std::string ns{};  // "" with a namespaced type: all namespaces
  std::string name{};
  std::string subresource{};
};
// Nothing when the path names no resource that is served.
[[nodiscard]] std::optional<ResourcePath> FindResource(const TypeRegistry& types,
                                                       const std::vector<std::string>& parts);

// The position of a paged list. `revision` 0 stands for the newest (an inconsistent continuation).
struct ContinueToken {
  Revision revision = 0;
  std::string start{};
  std::int64_t remaining = -1;  // objects from `start` on; -1: unknown
};
[[nodiscard]] std::string EncodeContinue(const ContinueToken& token);
[[nodiscard]] std::optional<ContinueToken> DecodeContinue(const std::string& text);

}  // namespace jobrun::api_model
