// OpenAPI v3 documents: what `kubectl explain` prints and what tells kubectl that the server
// validates.
#include <algorithm>

#include "tests/api_model/discovery.h"

namespace jobrun::api_model {
namespace {

constexpr const char* kMetaRef =
    "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
constexpr const char* kKindKey = "x-kubernetes-group-version-kind";

Json KindOf(const ResourceType& type) {
  return {{"group", type.group}, {"version", type.version}, {"kind", type.kind}};
}

// "jobrun.dev" to "dev.jobrun".
std::string Reversed(const std::string& group) {
  auto parts = Split(group.empty() ? "core.api.k8s.io" : group, '.');
  std::reverse(parts.begin(), parts.end());
  std::string name;
  for (const std::string& part : parts) name += (name.empty() ? "" : ".") + part;
  return name;
}

std::string SchemaName(const ResourceType& type) {
  return Reversed(type.group) + "." + type.version + "." + type.kind;
}

Json QueryParameter(const char* name, const char* kind) {
  return {{"name", name}, {"in", "query"}, {"schema", {{"type", kind}, {"uniqueItems", true}}}};
}

Json Operation(const ResourceType& type, const std::string& action, bool writes) {
  Json operation = {{kKindKey, KindOf(type)},
                    {"x-kubernetes-action", action},
                    {"operationId", action + type.kind},
                    {"responses", {{"200", {{"description", "OK"}}}}}};
  if (writes) {
    operation["parameters"] = {QueryParameter("dryRun", "string"),
                               QueryParameter("fieldManager", "string"),
                               QueryParameter("fieldValidation", "string")};
  }
  return operation;
}

void AddPaths(const ResourceType& type, Json& paths) {
  std::string base = type.BasePath();
  if (type.namespaced) {
    paths[base + "/" + type.plural] = {{"get", Operation(type, "list", false)}};
    base += "/namespaces/{namespace}";
  }
  base += "/" + type.plural;
  paths[base] = {{"get", Operation(type, "list", false)},
                 {"post", Operation(type, "post", true)},
                 {"delete", Operation(type, "deletecollection", false)}};
  Json named = {{"get", Operation(type, "get", false)},
                {"put", Operation(type, "put", true)},
                {"patch", Operation(type, "patch", true)}};
  if (type.status_subresource) paths[base + "/{name}/status"] = named;
  named["delete"] = Operation(type, "delete", false);
  paths[base + "/{name}"] = std::move(named);
}

Json SchemaOf(const ResourceType& type) {
  Json schema = type.definition;
  Json& properties = schema["properties"];
  properties["apiVersion"] = {
      {"type", "string"},
      {"description", "The versioned schema of this representation of an object."}};
  properties["kind"] = {{"type", "string"},
                        {"description", "The REST resource that this object represents."}};
  const Json reference = {{"$ref", kMetaRef}};
  properties["metadata"] = {{"allOf", Json::array({reference})},
                            {"default", Json::object()},
                            {"description", "Standard object's metadata."}};
  schema[kKindKey] = Json::array({KindOf(type)});
  return schema;
}

Json MetadataSchema() {
  const Json text = {{"type", "string"}};
  const Json texts = {{"type", "object"}, {"additionalProperties", text}};
  return {{"type", "object"},
          {"description", "ObjectMeta is metadata that all persisted resources must have."},
          {"properties",
           {{"name", text},
            {"generateName", text},
            {"namespace", text},
            {"uid", text},
            {"resourceVersion", text},
            {"generation", {{"type", "integer"}, {"format", "int64"}}},
            {"creationTimestamp", {{"type", "string"}, {"format", "date-time"}}},
            {"deletionTimestamp", {{"type", "string"}, {"format", "date-time"}}},
            {"labels", texts},
            {"annotations", texts},
            {"finalizers", {{"type", "array"}, {"items", text}}},
            {"ownerReferences", {{"type", "array"}, {"items", {{"type", "object"}}}}},
            {"managedFields", {{"type", "array"}, {"items", {{"type", "object"}}}}}}}};
}

}  // namespace

Json OpenApiIndex(const TypeRegistry& types) {
  Json paths = Json::object();
  for (const auto& type : types.types()) {
    const std::string path = type->BasePath().substr(1);
    paths[path] = {{"serverRelativeURL", "/openapi/v3/" + path + "?hash=" + type->version}};
  }
  return {{"paths", std::move(paths)}};
}

std::optional<Json> OpenApiDocument(const TypeRegistry& types,
                                    const std::vector<std::string>& parts) {
  std::string base;
  for (const std::string& part : parts) base += "/" + part;
  Json paths = Json::object();
  Json schemas = {{"io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", MetadataSchema()}};
  for (const auto& type : types.types()) {
    if (type->BasePath() != base) continue;
    AddPaths(*type, paths);
    schemas[SchemaName(*type)] = SchemaOf(*type);
  }
  if (paths.empty()) return std::nullopt;
  return Json{{"openapi", "3.0.0"},
              {"info", {{"title", "Kubernetes"}, {"version", "v1"}}},
              {"paths", std::move(paths)},
              {"components", {{"schemas", std::move(schemas)}}}};
}

}  // namespace jobrun::api_model
