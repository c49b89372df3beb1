#include "tests/bench/loadserver/canary_runs.h"

#include <array>

#include "controller/base/rfc3339.h"
#include "tests/bench/loadserver/answers.h"
#include "tests/bench/loadserver/run_text.h"

namespace jobrun::bench {
namespace {

constexpr std::string_view kName = "jobrun-canary";
constexpr std::string_view kInNamespace = "/namespaces/";
constexpr std::array<std::string_view, 5> kFields = {"phase", "claimedAt", "claimedBy",
                                                     "lastHeartbeatAt", "progress"};

std::string Between(const std::string& path, std::string_view after) {
  const std::size_t at = path.find(after);
  if (at == std::string::npos) return {};
  const std::size_t start = at + after.size();
  return path.substr(start, path.find('/', start) - start);
}

}  // namespace

bool CanaryRuns::Concerns(const HttpRequest& request) {
  return request.path.find(kName) != std::string::npos ||
         request.query.find(kName) != std::string::npos ||
         (request.method == "POST" && request.path.ends_with("/jobruns"));
}

// Somebody was looking until now, and nothing that was before counts: the figures begin at the
// start of the controller, as if it had always been there.
void CanaryRuns::BeginBefore(const std::string& name_space, Workload::Time now) {
  Canary& before = canaries_["jobrun-canary-before"];
  if (before.version != 0) return;
  const std::string micro = FormatMicroTime(now.wall);
  before = {.name_space = name_space,
            .number = 1,
            .version = ++version_,
            .created = FormatTime(now.wall),
            .stamped = FormatTime(now.wall),
            .status = {{"phase", "Running"},
                       {"claimedAt", micro},
                       {"claimedBy", "before"},
                       {"lastHeartbeatAt", micro},
                       {"progress", "writable-since=" + micro}}};
}

std::string CanaryRuns::Json(const std::string& name, const Canary& canary) {
  std::string number = std::to_string(canary.number);
  number.insert(0, 12 - number.size(), '0');
  std::string text = R"({"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{"name":")" +
                     name + R"(","namespace":")" + canary.name_space +
                     R"(","generation":1,"uid":"00000000-0000-4000-8000-)" + number +
                     R"(","resourceVersion":")" + std::to_string(canary.version) +
                     R"(","creationTimestamp":")" + canary.created + "\"";
  if (!canary.stamped.empty()) {
    text += R"(,"managedFields":[{"manager":"controller","operation":"Update","apiVersion":)"
            R"("jobrun.dev/v1","time":")" +
            canary.stamped +
            R"(","fieldsType":"FieldsV1","fieldsV1":{"f:status":{"f:lastHeartbeatAt":{}}},)"
            R"("subresource":"status"}])";
  }
  text += R"(},"spec":{"lane":"jobrun-canary","reaping":"Disabled"},"status":{)";
  bool first = true;
  for (const auto& [field, value] : canary.status) {
    text.append(first ? "" : ",").append("\"").append(field).append("\":\"").append(value) += '"';
    first = false;
  }
  return text + "}}";
}

void CanaryRuns::Tell(std::string_view type, const std::string& name) {
  const std::string chunk = Chunk(R"({"type":")" + std::string(type) + R"(","object":)" +
                                  Json(name, canaries_.at(name)) + "}\n");
  for (Connection* watch : watches_) {
    watch->Write(chunk);
    (void)watch->Flush();
  }
}

void CanaryRuns::Answer(Connection& from, const HttpRequest& request, bool watch_lists,
                        Workload::Time now) {
  BeginBefore(Between(request.path, kInNamespace), now);
  const bool get = request.method == "GET";
  if (get && request.Parameter("watch") == "true") {
    const bool initial = request.Parameter("sendInitialEvents") == "true";
    if (initial && !watch_lists) return bench::Refuse(from, 422, "Invalid", now.wall);
    return Watch(from, request, now);
  }
  if (get && request.path.ends_with("/jobruns")) return List(from, now);
  if (request.method == "POST") return Create(from, request, now);
  if (request.method == "PATCH") return Patch(from, request, now);
  bench::Refuse(from, 405, "MethodNotAllowed", now.wall);
}

void CanaryRuns::Watch(Connection& from, const HttpRequest& request, Workload::Time now) {
  from.Write(Head(200, "Transfer-Encoding: chunked", now.wall));
  if (request.Parameter("sendInitialEvents") == "true") {
    std::string lines;
    for (const auto& [name, canary] : canaries_) {
      lines += R"({"type":"ADDED","object":)" + Json(name, canary) + "}\n";
    }
    lines += R"({"type":"BOOKMARK","object":{"kind":"JobRun","metadata":{"annotations":)"
             R"({"k8s.io/initial-events-end":"true"},"resourceVersion":")" +
             std::to_string(version_) + "\"}}}\n";
    from.Write(Chunk(lines));
  }
  (void)from.Flush();
  watches_.insert(&from);
}

void CanaryRuns::List(Connection& from, Workload::Time now) {
  std::string items;
  for (const auto& [name, canary] : canaries_) {
    items += (items.empty() ? "" : ",") + Json(name, canary);
  }
  bench::Answer(from, 200,
                R"({"apiVersion":"jobrun.dev/v1","items":[)" + items +
                    R"(],"kind":"JobRunList","metadata":{"resourceVersion":")" +
                    std::to_string(version_) + "\"}}",
                now.wall);
}

void CanaryRuns::Create(Connection& from, const HttpRequest& request, Workload::Time now) {
  const std::string name = StringField(request.body, "name");
  const auto [canary, is_new] = canaries_.try_emplace(name);
  if (!is_new) return bench::Refuse(from, 409, "AlreadyExists", now.wall);
  canary->second = {.name_space = Between(request.path, kInNamespace),
                    .number = canaries_.size(),
                    .version = ++version_,
                    .created = FormatTime(now.wall)};
  bench::Answer(from, 201, Json(name, canary->second), now.wall);
  Tell("ADDED", name);
}

void CanaryRuns::Patch(Connection& from, const HttpRequest& request, Workload::Time now) {
  const std::string name = Between(request.path, "/jobruns/");
  const auto found = canaries_.find(name);
  if (found == canaries_.end()) return bench::Refuse(from, 404, "NotFound", now.wall);
  Canary& canary = found->second;
  canary.version = ++version_;
  pulse_.Beat(now.mono);
  for (const std::string_view field : kFields) {
    std::string value = StringField(request.body, field);
    if (field == "lastHeartbeatAt" && !value.empty()) canary.stamped = FormatTime(now.wall);
    if (!value.empty()) canary.status[std::string(field)] = std::move(value);
  }
  bench::Answer(from, 200, Json(name, canary), now.wall);
  Tell("MODIFIED", name);
}

}  // namespace jobrun::bench
