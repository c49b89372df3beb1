// What kinds of objects the model serves. Read from CustomResourceDefinitions: crds/jobruns.yaml
// and, in the same form, builtin.yaml for the built-in kinds.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/base/result.h"
#include "tests/api_model/json.h"
#include "tests/api_model/revision_store.h"
#include "tests/api_model/schema.h"
#include "tests/api_model/status.h"

namespace jobrun::api_model {

struct PrinterColumn {
  std::string name{};
  std::string type{};
  std::string format{};
  std::string description{};
  std::int64_t priority = 0;  // above 0: only with -o wide
  JsonPath path{};
};

struct SelectableField {
  std::string name{};  // "status.phase", as in fieldSelector
  JsonPath path{};
};

struct ResourceType {
  std::string group{};  // "" for core
  std::string version{};
  std::string kind{}, list_kind{}, plural{}, singular{};
  std::vector<std::string> short_names{}, categories{};
  bool namespaced = true;
  bool status_subresource = false;
  bool custom = false;  // of a CRD: no strategic merge patch
  bool create_on_update = false;
  bool unconditional_update = false;  // PUT without a resourceVersion is accepted
  bool generation = false;
  // events.k8s.io: the objects are stored as core Events and shown in another form (event_view.h).
  bool event_view = false;
  Collection collection = 0;
  std::vector<SelectableField> selectable{};
  std::vector<PrinterColumn> columns{};
  Json definition{};  // the OpenAPI schema as written
  std::unique_ptr<Schema> schema{};

  [[nodiscard]] std::string ApiVersion() const {
    return group.empty() ? version : group + "/" + version;
  }
  // "/api/v1" or "/apis/GROUP/VERSION".
  [[nodiscard]] std::string BasePath() const;
  // What messages call it and one of its objects.
  [[nodiscard]] Subject Named(const std::string& name) const { return {group, plural, name}; }
  [[nodiscard]] Subject KindNamed(const std::string& name) const {
    return {event_view ? "" : group, kind, name};
  }
};

// Owns the types; addresses stay valid. Immutable after Load.
class TypeRegistry {
 public:
  // `crd_yaml` is one CustomResourceDefinition. Fails on what the model could not hold it to.
  static Result<TypeRegistry> Load(const std::string& crd_yaml);

  [[nodiscard]] const std::vector<std::unique_ptr<ResourceType>>& types() const { return types_; }
  [[nodiscard]] const ResourceType* Find(std::string_view group, std::string_view version,
                                         std::string_view plural) const;
  // The loaded CustomResourceDefinition as JSON, for the apiextensions endpoint.
  [[nodiscard]] const Json& crd() const { return crd_; }
  // metadata of every object.
  [[nodiscard]] const Schema& metadata() const { return *metadata_; }
  [[nodiscard]] std::size_t collections() const { return types_.size(); }

 private:
  Outcome Add(const Json& crd, bool custom);

  std::vector<std::unique_ptr<ResourceType>> types_{};
  std::unique_ptr<Schema> metadata_{};
  Json crd_{};
};

// The text of crds/jobruns.yaml as of the build.
[[nodiscard]] const std::string& EmbeddedCrd();
// The text of builtin.yaml.
[[nodiscard]] const std::string& EmbeddedBuiltinTypes();

}  // namespace jobrun::api_model
