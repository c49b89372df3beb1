#include "tests/bench/loadserver/election_leases.h"

#include "tests/bench/loadserver/answers.h"

namespace jobrun::bench {
namespace {

constexpr std::string_view kRoot = "/apis/coordination.k8s.io/v1/namespaces/";

std::string Json(std::uint64_t version, const std::string& spec) {
  return R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"resourceVersion":")" +
         std::to_string(version) + R"(","uid":"00000000-0000-4000-9000-000000000001"},"spec":)" +
         spec + "}";
}

}  // namespace

bool ElectionLeases::Concerns(const HttpRequest& request) {
  return request.path.starts_with(kRoot) && request.path.find("/leases") != std::string::npos;
}

void ElectionLeases::Answer(Connection& from, const HttpRequest& request, Workload::Time now) {
  std::string name = request.path.substr(kRoot.size());
  if (request.method == "POST") name += "/" + StringField(request.body, "name");
  const auto found = leases_.find(name);
  const bool known = found != leases_.end();
  if (request.method == "POST") {
    if (known) return Refuse(from, 409, "AlreadyExists", now.wall);
    return Write(from, name, request, now);
  }
  if (!known) return Refuse(from, 404, "NotFound", now.wall);
  if (request.method == "PATCH") {
    const std::string guard = StringField(request.body, "resourceVersion");
    if (guard != std::to_string(found->second.version)) {
      return Refuse(from, 409, "Conflict", now.wall);
    }
    return Write(from, name, request, now);
  }
  bench::Answer(from, 200, Json(found->second.version, found->second.spec), now.wall);
}

// Both forms of the body hold the whole spec: it is not merged.
void ElectionLeases::Write(Connection& from, const std::string& name, const HttpRequest& request,
                           Workload::Time now) {
  Lease& lease = leases_[name];
  lease = {.version = ++version_, .spec = ObjectField(request.body, "spec")};
  pulse_.Beat(now.mono);
  ++renewals_;
  const int status = request.method == "POST" ? 201 : 200;
  bench::Answer(from, status, Json(lease.version, lease.spec), now.wall);
}

}  // namespace jobrun::bench
