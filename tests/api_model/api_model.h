// A model of the Kubernetes API server without threads, sockets or clocks: requests and times go
// in, replies and watch bytes come out, and the same inputs always give the same outputs. The dev
// server puts HTTP in front of it, the simulation calls it directly.
//
// What it serves: JobRuns (schema and CEL rules straight from crds/jobruns.yaml), Leases, Events in
// both API groups, Namespaces, Pods (nothing runs them), the CRD itself, access reviews
// (always allowed), discovery, OpenAPI v3 and tables. What is missing compared with a real server
// is in docs of the folder's README.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/random.h"
#include "controller/base/result.h"
#include "controller/base/time.h"
#include "tests/api_model/reader.h"
#include "tests/api_model/request.h"
#include "tests/api_model/resource_type.h"
#include "tests/api_model/revision_store.h"
#include "tests/api_model/watch_hub.h"
#include "tests/api_model/writer.h"

namespace jobrun::api_model {

struct ApiModelOptions {
  std::string crd_yaml{EmbeddedCrd()};
  std::uint64_t seed = 1;            // of uids, generated names and default watch timeouts
  std::size_t changes_max = 10'000;  // how far back watches and pages reach
  Revision first_revision = 1;       // a server that lost its data should not count from 1 again
  std::chrono::microseconds bookmark_period = std::chrono::seconds(60);
  std::string git_version{"v1.36.0+jobrun-model"};
};

class ApiModel {
 public:
  // Fails when the CRD holds anything that the model could not enforce. `now` stamps the initial
  // namespaces.
  static Result<std::unique_ptr<ApiModel>> Create(ApiModelOptions options, ServerTime now);

  ApiModel(const ApiModel&) = delete;
  ApiModel& operator=(const ApiModel&) = delete;

  // Never throws; whatever the request holds, there is an answer. `now` is the server's clock.
  Reply Handle(const Request& request, ServerTime now);

  // What a watch has to say by `now`. See watch_hub.h.
  Drained Drain(SubscriptionId id, ServerTime now) { return hub_.Drain(id, now); }
  [[nodiscard]] std::optional<ServerTime> NextTimer(SubscriptionId id) const {
    return hub_.NextTimer(id);
  }
  void Close(SubscriptionId id) { hub_.Close(id); }
  // Changes with every write: when it did, watches may have something to drain.
  [[nodiscard]] Revision revision() const { return store_.revision(); }

  // For tests: forgets the past, as etcd's compaction does.
  void Compact() { store_.Compact(store_.revision()); }
  [[nodiscard]] const TypeRegistry& types() const { return types_; }

 private:
  ApiModel(TypeRegistry types, const ApiModelOptions& options);

  Reply Route(const Request& request, ServerTime now);
  std::optional<Reply> Fixed(const std::vector<std::string>& parts, const Request& request);
  std::optional<Reply> Review(const std::vector<std::string>& parts, const Request& request);
  Reply Resource(const ResourcePath& path, const Query& query, const Request& request,
                 ServerTime now);
  Reply ReadOne(const ResourcePath& path, const Query& query, const Request& request,
                ServerTime now);
  Reply ReadMany(const ResourcePath& path, const Query& query, const Request& request,
                 ServerTime now);
  Reply StartWatch(const ListQuery& list, const Query& query, Shape shape, ServerTime now);
  Reply Write(const ResourcePath& path, const Query& query, const Request& request, ServerTime now);
  Reply Patch(const Target& target, const Request& request, WriteOptions options, Shape shape);
  Reply Delete(const ResourcePath& path, const Query& query, const Request& request,
               ServerTime now);
  Reply DeleteMany(const ResourcePath& path, const Query& query, const DeleteOptions& asked,
                   const WriteOptions& options);
  Reply Show(const ResourceType& type, const Written& written, Shape shape, ServerTime now) const;
  void CreateInitialObjects(ServerTime now);

  TypeRegistry types_;
  Random random_;
  std::string git_version_;
  RevisionStore store_;
  ObjectWriter writer_;
  WatchHub hub_;
};

}  // namespace jobrun::api_model
