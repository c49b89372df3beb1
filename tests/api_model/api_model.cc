#include "tests/api_model/api_model.h"

#include <array>

#include "tests/api_model/discovery.h"

namespace jobrun::api_model {
namespace {

constexpr const char* kAccepted =
    "application/json, application/yaml, application/vnd.kubernetes.protobuf";

bool IsHealthPath(const std::string& path) {
  return path == "readyz" || path == "livez" || path == "healthz";
}

Reply TextReply(int status, std::string text) {
  Reply reply;
  reply.status = status;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = std::move(text);
  return reply;
}

Json Paths(const TypeRegistry& types) {
  Json paths = {"/api",   "/api/v1",     "/apis",   "/healthz",
                "/livez", "/openapi/v3", "/readyz", "/version"};
  for (const auto& type : types.types()) {
    if (!type->group.empty()) paths.push_back(type->BasePath());
  }
  return {{"paths", std::move(paths)}};
}

Json ListMetadata(const ResourceType& type, const ListPage& page) {
  Json metadata = {{"resourceVersion", std::to_string(page.revision)}};
  if (!page.continue_token.empty() || type.custom) metadata["continue"] = page.continue_token;
  if (page.remaining) metadata["remainingItemCount"] = *page.remaining;
  return metadata;
}

// The real server leaves out what the items of built-in kinds have in common.
Json WithoutKind(Json object) {
  object.erase("kind");
  object.erase("apiVersion");
  return object;
}

// JobRuns are not serialized again: the texts of the store are put together.
std::string ListBody(const ResourceType& type, const ListPage& page) {
  std::string body = "{\"apiVersion\":" + Quote(type.ApiVersion()) +
                     ",\"kind\":" + Quote(type.list_kind) +
                     ",\"metadata\":" + Dump(ListMetadata(type, page)) + ",\"items\":[";
  for (std::size_t i = 0; i < page.items.size(); ++i) {
    if (i > 0) body += ',';
    const Version& item = *page.items[i];
    body += type.custom ? item.text : Dump(WithoutKind(ShowObject(type, item.value)));
  }
  body += "]}";
  return body;
}

IncludeObject IncludeOf(const Query& query) {
  const std::string include = query.Get("includeObject");
  if (include == "Object") return IncludeObject::kObject;
  return include == "None" ? IncludeObject::kNone : IncludeObject::kMetadata;
}

Json Partial(const Json& object) {
  return {{"kind", "PartialObjectMetadata"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", object.at("metadata")}};
}

}  // namespace

Result<std::unique_ptr<ApiModel>> ApiModel::Create(ApiModelOptions options, ServerTime now) {
  auto types = TypeRegistry::Load(options.crd_yaml);
  if (!types) return types.error();
  std::unique_ptr<ApiModel> model(new ApiModel(std::move(types).value(), options));
  model->CreateInitialObjects(now);
  return model;
}

ApiModel::ApiModel(TypeRegistry types, const ApiModelOptions& options)
    : types_(std::move(types)),
      random_(options.seed),
      git_version_(options.git_version),
      store_(types_.collections(), options.changes_max, options.first_revision),
      writer_(types_, store_, random_),
      hub_(store_, random_, options.bookmark_period) {}

void ApiModel::CreateInitialObjects(ServerTime now) {
  WriteOptions options;
  options.writer.manager = "api-model";
  options.now = now;
  Target target;
  target.type = types_.Find("", "v1", "namespaces");
  for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    const Json ns = {{"metadata", {{"name", name}}}};
    auto created = writer_.Create(target, ns, options);
    assert(created.ok());
  }
  target.type = types_.Find("apiextensions.k8s.io", "v1", "customresourcedefinitions");
  auto created = writer_.Create(target, types_.crd(), options);
  assert(created.ok());
}

Reply ApiModel::Handle(const Request& request, ServerTime now) {
  try {
    return Route(request, now);
  } catch (const std::exception& error) {
    // A fault of the model itself: the caller still gets an answer that says so.
    return RefusalReply(InternalError(error.what()));
  }
}

Reply ApiModel::Route(const Request& request, ServerTime now) {
  const std::string_view target = request.target;
  const auto mark = target.find('?');
  const auto parts = PathParts(target.substr(0, mark));
  const Query query =
      Query::Parse(mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1));
  if (auto fixed = Fixed(parts, request)) return std::move(*fixed);
  if (auto review = Review(parts, request)) return std::move(*review);
  const auto path = FindResource(types_, parts);
  if (!path) return TextReply(404, "404 page not found\n");
  return Resource(*path, query, request, now);
}

// Everything but resources.
std::optional<Reply> ApiModel::Fixed(const std::vector<std::string>& parts,
                                     const Request& request) {
  std::optional<Reply> reply;
  const std::string first = parts.empty() ? "" : parts[0];
  const Shape shape = ShapeOf(request.accept);
  if (parts.empty()) {
    reply = JsonReply(200, Paths(types_));
  } else if (IsHealthPath(first)) {
    reply = TextReply(200, "ok");
  } else if (first == "version" && parts.size() == 1) {
    reply = JsonReply(200, VersionInfo(git_version_));
  } else if (first == "openapi") {
    const bool v3 = parts.size() > 1 && parts[1] == "v3";
    const std::vector<std::string> rest(parts.begin() + (v3 ? 2 : 0), parts.end());
    const auto document = !v3            ? std::nullopt
                          : rest.empty() ? std::optional(OpenApiIndex(types_))
                                         : OpenApiDocument(types_, rest);
    reply = document ? JsonReply(200, *document) : TextReply(404, "404 page not found\n");
  } else if (parts.size() == 1 && (first == "api" || first == "apis") &&
             shape == Shape::kAggregatedDiscovery) {
    reply = JsonReply(200, AggregatedDiscovery(types_, first == "api"));
    reply->content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  } else if (const auto discovery = Discovery(types_, parts)) {
    reply = JsonReply(200, *discovery);
  }
  if (reply && request.method != "GET" && request.method != "HEAD") {
    return RefusalReply(MethodNotAllowed());
  }
  return reply;
}

// Everybody may do everything here.
std::optional<Reply> ApiModel::Review(const std::vector<std::string>& parts,
                                      const Request& request) {
  if (parts.size() != 4 || parts[0] != "apis" || parts[2] != "v1") return std::nullopt;
  for (const ReviewType& review : ReviewTypes()) {
    if (parts[1] != review.group || parts[3] != review.plural) continue;
    if (request.method != "POST") return RefusalReply(MethodNotAllowed());
    ParsedJson parsed = ParseJson(request.body);
    if (!parsed.error.empty() || !parsed.value.is_object())
      return RefusalReply(BadRequest(parsed.error));
    const Json user = {{"username", "admin"},
                       {"groups", {"system:masters", "system:authenticated"}}};
    Json& body = parsed.value;
    body["kind"] = review.kind;
    body["apiVersion"] = std::string(review.group) + "/v1";
    if (parts[3] == "tokenreviews") {
      body["status"] = {{"authenticated", true}, {"user", user}};
    } else if (parts[3] == "selfsubjectreviews") {
      body["status"] = {{"userInfo", user}};
    } else {
      body["status"] = {{"allowed", true}};
    }
    return JsonReply(201, body);
  }
  return std::nullopt;
}

Reply ApiModel::Resource(const ResourcePath& path, const Query& query, const Request& request,
                         ServerTime now) {
  const std::string& method = request.method;
  const Shape shape = ShapeOf(request.accept);
  if (shape == Shape::kNone || shape == Shape::kAggregatedDiscovery) {
    return RefusalReply(NotAcceptable(kAccepted));
  }
  if (method == "GET" || method == "HEAD") {
    return path.name.empty() ? ReadMany(path, query, request, now)
                             : ReadOne(path, query, request, now);
  }
  const bool named = !path.name.empty();
  const bool writes = named ? method == "PUT" || method == "PATCH" : method == "POST";
  const bool homeless = path.type->namespaced && path.ns.empty();
  if (writes && !homeless) return Write(path, query, request, now);
  if (method == "DELETE" && path.subresource.empty() && !homeless) {
    return Delete(path, query, request, now);
  }
  // The handlers of custom resources are less strict about what they are routed.
  if (path.type->custom && homeless) return TextReply(404, "404 page not found\n");
  if (path.type->custom && !named && (method == "PUT" || method == "PATCH")) {
    return RefusalReply(BadRequest("name must be provided"));
  }
  return RefusalReply(MethodNotAllowed());
}

Reply ApiModel::ReadOne(const ResourcePath& path, const Query& query, const Request& request,
                        ServerTime now) {
  auto found = Get(store_, path, query.Get("resourceVersion"));
  if (!found.ok()) return RefusalReply(found.refusal());
  Written read;
  read.object = found.value();
  const Shape shape = ShapeOf(request.accept);
  if (shape != Shape::kTable) return Show(*path.type, read, shape, now);
  Json table = EmptyTable(*path.type, true);
  table["metadata"]["resourceVersion"] = std::to_string(read.object->revision);
  table["rows"].push_back(TableRow(*path.type, read.object->value, IncludeOf(query), now));
  return JsonReply(200, table);
}

Reply ApiModel::ReadMany(const ResourcePath& path, const Query& query, const Request& request,
                         ServerTime now) {
  auto list = ReadListQuery(path, query);
  if (!list.ok()) return RefusalReply(list.refusal());
  const Shape shape = ShapeOf(request.accept);
  if (query.Flag("watch")) return StartWatch(list.value(), query, shape, now);
  auto page = List(store_, list.value());
  if (!page.ok()) return RefusalReply(page.refusal());
  const ResourceType& type = *path.type;
  if (shape == Shape::kTable) {
    Json table = EmptyTable(type, true);
    table["metadata"] = ListMetadata(type, page.value());
    for (const VersionPtr& item : page.value().items) {
      table["rows"].push_back(TableRow(type, item->value, IncludeOf(query), now));
    }
    return JsonReply(200, table);
  }
  if (shape == Shape::kPartial) {
    Json items = Json::array();
    for (const VersionPtr& item : page.value().items) items.push_back(Partial(item->value));
    return JsonReply(200, {{"kind", "PartialObjectMetadataList"},
                           {"apiVersion", "meta.k8s.io/v1"},
                           {"metadata", ListMetadata(type, page.value())},
                           {"items", std::move(items)}});
  }
  Reply reply;
  reply.body = ListBody(type, page.value());
  return reply;
}

Reply ApiModel::StartWatch(const ListQuery& list, const Query& query, Shape shape, ServerTime now) {
  auto options = ReadWatchOptions(list, query, store_);
  if (!options.ok()) return RefusalReply(options.refusal());
  options.value().shape = shape;
  Reply reply;
  if (shape == Shape::kTable) reply.content_type = "application/json;as=Table;g=meta.k8s.io;v=v1";
  reply.watch = hub_.Open(std::move(options.value()), now);
  return reply;
}

Reply ApiModel::Show(const ResourceType& type, const Written& written, Shape shape,
                     ServerTime now) const {
  Reply reply;
  reply.status = written.created ? 201 : 200;
  const Version& object = *written.object;
  if (shape == Shape::kTable) {
    Json table = EmptyTable(type, true);
    table["rows"].push_back(TableRow(type, object.value, IncludeObject::kMetadata, now));
    reply.body = Dump(table);
  } else if (shape == Shape::kPartial) {
    reply.body = Dump(Partial(object.value));
  } else {
    reply.body = type.event_view ? Dump(ShowObject(type, object.value)) : object.text;
  }
  for (const std::string& warning : written.warnings) {
    reply.warnings.push_back("299 - " + Quote(warning));
  }
  return reply;
}

}  // namespace jobrun::api_model
