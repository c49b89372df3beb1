#include "tests/api_model/resource_type.h"

#include <algorithm>

namespace jobrun::api_model {
namespace {

Error Problem(const std::string& what) { return {Code::kInvalid, "load the resource types", what}; }

// ".status.phase" to its keys; nothing for what is more than a path.
std::optional<JsonPath> SimplePath(std::string_view text) {
  if (!text.starts_with('.') || text.find_first_of("[]*?@'\" ") != std::string_view::npos) {
    return std::nullopt;
  }
  return Split(text.substr(1), '.');
}

bool Flag(const Json& options, const char* key) {
  const Json* member = Member(options, key);
  return member != nullptr && member->is_boolean() && member->get<bool>();
}

Outcome ReadColumns(const Json& version, ResourceType& type) {
  const Json* columns = Member(version, "additionalPrinterColumns");
  if (columns == nullptr) return Ok();
  for (const Json& column : *columns) {
    const std::string text(StringMember(column, "jsonPath"));
    // Columns of built-in kinds that table.cc computes have no path.
    auto path = text.empty() && !type.custom ? JsonPath{} : SimplePath(text);
    if (!path) return Problem("printer column path " + text + " is not supported");
    PrinterColumn made;
    made.name = StringMember(column, "name");
    made.type = StringMember(column, "type");
    made.format = StringMember(column, "format");
    made.description = StringMember(column, "description");
    if (made.description.empty() && type.custom) {
      made.description = "Custom resource definition column (in JSONPath format): " + text;
    }
    if (const Json* priority = Member(column, "priority"))
      made.priority = priority->get<std::int64_t>();
    made.path = std::move(*path);
    type.columns.push_back(std::move(made));
  }
  return Ok();
}

Outcome ReadSelectable(const Json& version, ResourceType& type) {
  const Json* fields = Member(version, "selectableFields");
  if (fields == nullptr) return Ok();
  for (const Json& field : *fields) {
    const std::string text(StringMember(field, "jsonPath"));
    auto path = SimplePath(text);
    if (!path) return Problem("selectable field " + text + " is not supported");
    type.selectable.push_back({text.substr(1), std::move(*path)});
  }
  return Ok();
}

void ReadNames(const Json& names, ResourceType& type) {
  type.kind = StringMember(names, "kind");
  type.list_kind = StringMember(names, "listKind");
  if (type.list_kind.empty()) type.list_kind = type.kind + "List";
  type.plural = StringMember(names, "plural");
  type.singular = StringMember(names, "singular");
  if (const Json* list = Member(names, "shortNames"))
    type.short_names = list->get<std::vector<std::string>>();
  if (const Json* list = Member(names, "categories"))
    type.categories = list->get<std::vector<std::string>>();
}

// Kubernetes adds these to every schema of a custom resource.
Json WithTypeAndMetadata(Json schema) {
  const Json text = {{"type", "string"}};
  schema["properties"]["apiVersion"] = text;
  schema["properties"]["kind"] = text;
  schema["properties"]["metadata"] = {{"type", "object"},
                                      {"x-kubernetes-preserve-unknown-fields", true}};
  return schema;
}

Result<std::unique_ptr<ResourceType>> ReadType(const Json& crd, bool custom) {
  const Json* spec = Member(crd, "spec");
  const Json* versions = spec == nullptr ? nullptr : Member(*spec, "versions");
  if (versions == nullptr || !versions->is_array() || versions->size() != 1) {
    return Problem("a CustomResourceDefinition must have exactly one version");
  }
  const Json& version = versions->front();
  auto type = std::make_unique<ResourceType>();
  type->group = StringMember(*spec, "group");
  type->version = StringMember(version, "name");
  type->namespaced = StringMember(*spec, "scope") == "Namespaced";
  ReadNames(spec->at("names"), *type);
  const Json* subresources = Member(version, "subresources");
  type->status_subresource = subresources != nullptr && Member(*subresources, "status") != nullptr;
  const Json* options = Member(*spec, "apiModel");
  type->custom = custom;
  type->generation = custom || (options != nullptr && Flag(*options, "generation"));
  type->create_on_update = options != nullptr && Flag(*options, "createOnUpdate");
  type->unconditional_update = options != nullptr && Flag(*options, "unconditionalUpdate");
  type->event_view = options != nullptr && Flag(*options, "eventView");
  if (auto done = ReadColumns(version, *type); !done) return done.error();
  if (auto done = ReadSelectable(version, *type); !done) return done.error();
  const Json* definition = MemberAt(version, {"schema", "openAPIV3Schema"});
  if (definition == nullptr) return Problem(type->plural + " has no openAPIV3Schema");
  type->definition = *definition;
  auto schema = CompileSchema(WithTypeAndMetadata(*definition));
  if (!schema) return schema.error();
  type->schema = std::move(schema).value();
  return type;
}

}  // namespace

std::string ResourceType::BasePath() const {
  return group.empty() ? "/api/" + version : "/apis/" + group + "/" + version;
}

Outcome TypeRegistry::Add(const Json& crd, bool custom) {
  try {
    auto type = ReadType(crd, custom);
    if (!type) return type.error();
    types_.push_back(std::move(type).value());
  } catch (const Json::exception& error) {
    return Problem(error.what());
  }
  return Ok();
}

Result<TypeRegistry> TypeRegistry::Load(const std::string& crd_yaml) {
  TypeRegistry registry;
  ParsedJson crd = ParseYaml(crd_yaml);
  if (!crd.error.empty()) return Problem("the CustomResourceDefinition: " + crd.error);
  if (auto added = registry.Add(crd.value, true); !added) return added.error();
  registry.crd_ = std::move(crd.value);
  const ParsedJson builtin = ParseYaml(EmbeddedBuiltinTypes());
  if (!builtin.error.empty()) return Problem("builtin.yaml: " + builtin.error);
  auto metadata = CompileSchema(builtin.value.at("metadata"));
  if (!metadata) return metadata.error();
  registry.metadata_ = std::move(metadata).value();
  for (const Json& type : builtin.value.at("types")) {
    if (auto added = registry.Add(type, false); !added) return added.error();
  }
  for (std::size_t i = 0; i < registry.types_.size(); ++i) {
    registry.types_[i]->collection = static_cast<Collection>(i);
  }
  const ResourceType* events = registry.Find("", "v1", "events");
  for (auto& type : registry.types_) {
    if (type->event_view && events != nullptr) type->collection = events->collection;
  }
  return registry;
}

const ResourceType* TypeRegistry::Find(std::string_view group, std::string_view version,
                                       std::string_view plural) const {
  const auto found = std::find_if(types_.begin(), types_.end(), [&](const auto& type) {
    return type->group == group && type->version == version && type->plural == plural;
  });
  return found == types_.end() ? nullptr : found->get();
}

}  // namespace jobrun::api_model
