#include "tests/api_model/discovery.h"

#include <algorithm>
#include <set>

namespace jobrun::api_model {
namespace {

Json Verbs() {
  return {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
}

Json ResourceEntry(const ResourceType& type) {
  Json entry = {{"name", type.plural},
                {"singularName", type.singular},
                {"namespaced", type.namespaced},
                {"kind", type.kind},
                {"verbs", Verbs()}};
  if (!type.short_names.empty()) entry["shortNames"] = type.short_names;
  if (!type.categories.empty()) entry["categories"] = type.categories;
  return entry;
}

Json StatusEntry(const ResourceType& type) {
  return {{"name", type.plural + "/status"},
          {"singularName", ""},
          {"namespaced", type.namespaced},
          {"kind", type.kind},
          {"verbs", {"get", "patch", "update"}}};
}

Json ReviewEntry(const ReviewType& review) {
  return {{"name", review.plural},
          {"singularName", ""},
          {"namespaced", false},
          {"kind", review.kind},
          {"verbs", {"create"}}};
}

Json ResourceList(const TypeRegistry& types, const std::string& group, const std::string& version) {
  Json resources = Json::array();
  for (const auto& type : types.types()) {
    if (type->group != group || type->version != version) continue;
    resources.push_back(ResourceEntry(*type));
    if (type->status_subresource) resources.push_back(StatusEntry(*type));
  }
  for (const ReviewType& review : ReviewTypes()) {
    if (review.group == group && version == "v1") resources.push_back(ReviewEntry(review));
  }
  return {{"kind", "APIResourceList"},
          {"apiVersion", "v1"},
          {"groupVersion", group.empty() ? version : group + "/" + version},
          {"resources", std::move(resources)}};
}

// Every group has one version here.
std::vector<std::string> Groups(const TypeRegistry& types) {
  std::vector<std::string> groups;
  const auto add = [&](const std::string& group) {
    if (!group.empty() && std::find(groups.begin(), groups.end(), group) == groups.end()) {
      groups.push_back(group);
    }
  };
  for (const auto& type : types.types()) add(type->group);
  for (const ReviewType& review : ReviewTypes()) add(review.group);
  return groups;
}

Json Group(const std::string& group) {
  const Json version = {{"groupVersion", group + "/v1"}, {"version", "v1"}};
  return {{"name", group}, {"versions", Json::array({version})}, {"preferredVersion", version}};
}

Json AggregatedResource(const ResourceType& type) {
  const auto kind = [&] {
    return Json{{"group", type.group}, {"version", type.version}, {"kind", type.kind}};
  };
  Json entry = {{"resource", type.plural},
                {"responseKind", kind()},
                {"scope", type.namespaced ? "Namespaced" : "Cluster"},
                {"singularResource", type.singular},
                {"verbs", Verbs()}};
  if (!type.short_names.empty()) entry["shortNames"] = type.short_names;
  if (!type.categories.empty()) entry["categories"] = type.categories;
  if (type.status_subresource) {
    const Json status = {
        {"subresource", "status"}, {"responseKind", kind()}, {"verbs", {"get", "patch", "update"}}};
    entry["subresources"] = Json::array({status});
  }
  return entry;
}

Json AggregatedGroup(const TypeRegistry& types, const std::string& group) {
  Json resources = Json::array();
  for (const auto& type : types.types()) {
    if (type->group == group) resources.push_back(AggregatedResource(*type));
  }
  for (const ReviewType& review : ReviewTypes()) {
    if (group != review.group) continue;
    resources.push_back(
        {{"resource", review.plural},
         {"responseKind", {{"group", group}, {"version", "v1"}, {"kind", review.kind}}},
         {"scope", "Cluster"},
         {"singularResource", ""},
         {"verbs", {"create"}}});
  }
  const Json version = {
      {"version", "v1"}, {"resources", std::move(resources)}, {"freshness", "Current"}};
  Json metadata = {{"creationTimestamp", nullptr}};
  if (!group.empty()) metadata["name"] = group;
  return {{"metadata", std::move(metadata)}, {"versions", Json::array({version})}};
}

}  // namespace

const std::vector<ReviewType>& ReviewTypes() {
  static const std::vector<ReviewType> kTypes = {
      {"authentication.k8s.io", "tokenreviews", "TokenReview"},
      {"authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"},
      {"authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview"},
      {"authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"}};
  return kTypes;
}

Json VersionInfo(const std::string& git_version) {
  const auto numbers =
      Split(git_version.starts_with('v') ? git_version.substr(1) : git_version, '.');
  return {{"major", numbers[0]},       {"minor", numbers.size() > 1 ? numbers[1] : "0"},
          {"gitVersion", git_version}, {"gitCommit", ""},
          {"gitTreeState", "clean"},   {"buildDate", "1970-01-01T00:00:00Z"},
          {"goVersion", ""},           {"compiler", ""},
          {"platform", "linux/amd64"}};
}

std::optional<Json> Discovery(const TypeRegistry& types, const std::vector<std::string>& parts) {
  if (parts.empty()) return std::nullopt;
  if (parts[0] == "api") {
    if (parts.size() == 1) {
      return Json{{"kind", "APIVersions"},
                  {"versions", {"v1"}},
                  {"serverAddressByClientCIDRs", Json::array()}};
    }
    if (parts.size() == 2 && parts[1] == "v1") return ResourceList(types, "", "v1");
    return std::nullopt;
  }
  if (parts[0] != "apis") return std::nullopt;
  const auto groups = Groups(types);
  if (parts.size() == 1) {
    Json list = Json::array();
    for (const std::string& group : groups) list.push_back(Group(group));
    return Json{{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(list)}};
  }
  if (std::find(groups.begin(), groups.end(), parts[1]) == groups.end()) return std::nullopt;
  if (parts.size() == 2) {
    Json group = Group(parts[1]);
    group["kind"] = "APIGroup";
    group["apiVersion"] = "v1";
    return group;
  }
  if (parts.size() == 3 && parts[2] == "v1") return ResourceList(types, parts[1], "v1");
  return std::nullopt;
}

Json AggregatedDiscovery(const TypeRegistry& types, bool core) {
  Json items = Json::array();
  if (core) items.push_back(AggregatedGroup(types, ""));
  if (!core) {
    for (const std::string& group : Groups(types)) items.push_back(AggregatedGroup(types, group));
  }
  return {{"kind", "APIGroupDiscoveryList"},
          {"apiVersion", "apidiscovery.k8s.io/v2"},
          {"metadata", Json::object()},
          {"items", std::move(items)}};
}

}  // namespace jobrun::api_model
