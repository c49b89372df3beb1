#include "controller/wire/successor.h"

#include <algorithm>
#include <array>
#include <optional>

#include "controller/wire/json_cursor.h"
#include "controller/wire/json_writer.h"

namespace jobrun {
namespace {

namespace ondemand = json::ondemand;

// Labels and annotations by which deployment tools track what they applied; a copy would make them
// delete the successor, or take it for theirs. A name that ends in '/' stands for all below it.
constexpr std::array<std::string_view, 19> kOfDeploymentTools = {
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/instance",
    "applyset.kubernetes.io/",
    "argocd.argoproj.io/",
    "cli-utils.sigs.k8s.io/",
    "config.k8s.io/",
    "config.kubernetes.io/",
    "fleet.cattle.io/",
    "helm.sh/",
    "helm.toolkit.fluxcd.io/",
    "internal.config.kubernetes.io/",
    "kapp.k14s.io/",
    "kpt.dev/",
    "kubectl.kubernetes.io/",
    "kustomize.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "objectset.rio.cattle.io/",
    "pulumi.com/",
    "skaffold.dev/",
};

bool OfDeploymentTool(std::string_view name) {
  return std::ranges::any_of(kOfDeploymentTools, [&](std::string_view known) {
    return known.ends_with('/') ? name.starts_with(known) : name == known;
  });
}

// Reads the parent and writes the parts of its successor. The functions return false when the JSON
// is broken.
class SuccessorMaker {
 public:
  bool ReadRoot(ondemand::object& root) {
    return json::EachField(root, [this](std::string_view key, ondemand::value& value) {
      if (key == "metadata" && json::IsObject(value)) return ReadMetadata(value);
      if (key == "spec" && json::IsObject(value)) return ReadSpec(value);
      return true;
    });
  }

  [[nodiscard]] bool Whole() const { return !name_.empty() && !uid_.empty() && !spec_.empty(); }

  [[nodiscard]] std::string Write(const Successor& successor) {
    json::Writer writer;
    writer.Open().Text("apiVersion", "jobrun.dev/v1").Text("kind", "JobRun");
    writer.Key("metadata").Open().Text("name", successor.name).Text("namespace", name_space_);
    writer.Key("labels").Open().Raw(labels_).Text(kRootLabel, root_.empty() ? uid_ : root_).Close();
    if (!annotations_.empty()) writer.Key("annotations").Open().Raw(annotations_).Close();
    if (!owners_.empty()) writer.Key("ownerReferences").Raw("[").Raw(owners_).Raw("]");
    writer.Close().Key("spec").Open().Raw(spec_).Number("attempt", successor.attempt);
    writer.Key("retryOf").Open().Text("name", name_).Text("uid", uid_).Close();
    return writer.Close().Close().Take();
  }

 private:
  bool ReadMetadata(ondemand::value& metadata) {
    return json::EachField(metadata, [this](std::string_view key, ondemand::value& value) {
      const auto text = [&] { return json::Text(value, scratch_).value_or(std::string_view()); };
      if (key == "name") name_ = text();
      if (key == "namespace") name_space_ = text();
      if (key == "uid") uid_ = text();
      if (key == "labels" && json::IsObject(value)) return CopyNames(value, labels_);
      if (key == "annotations" && json::IsObject(value)) return CopyNames(value, annotations_);
      if (key == "ownerReferences" && json::IsArray(value)) return ReadOwners(value);
      return true;
    });
  }

  bool CopyNames(ondemand::value& names, std::string& into) {
    return json::EachField(names, [&](std::string_view key, ondemand::value& value) {
      if (key == kRootLabel) {
        root_ = json::Text(value, scratch_).value_or(std::string_view());
        return true;
      }
      return OfDeploymentTool(key) || Copy(key, value, into);
    });
  }

  bool ReadOwners(ondemand::value& owners) {
    return json::EachElement(owners, [this](ondemand::value& owner) {
      std::string fields;
      const auto copy = [&](std::string_view key, ondemand::value& value) {
        return key == "blockOwnerDeletion" || Copy(key, value, fields);
      };
      if (!json::IsObject(owner) || !json::EachField(owner, copy)) return false;
      if (!owners_.empty()) owners_ += ',';
      owners_.append("{").append(fields).append("}");
      return true;
    });
  }

  bool ReadSpec(ondemand::value& spec) {
    return json::EachField(spec, [this](std::string_view key, ondemand::value& value) {
      return key == "attempt" || key == "retryOf" || key == "cancelled" || Copy(key, value, spec_);
    });
  }

  // Appends one field as it is written.
  static bool Copy(std::string_view key, ondemand::value& value, std::string& into) {
    const std::optional<std::string_view> raw = json::RawValue(value);
    if (!raw) return false;
    if (!into.empty()) into += ',';
    into.append("\"").append(key).append("\":").append(*raw);
    return true;
  }

  Scratch scratch_{};
  std::string name_{}, name_space_{}, uid_{}, root_{};
  std::string labels_{}, annotations_{}, owners_{}, spec_{};  // the insides of their brackets
};

}  // namespace

Result<std::string> WriteSuccessor(std::string_view parent_json, const Successor& successor) {
  std::string buffer;
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object root;
  SuccessorMaker maker;
  if (!json::OpenObject(parser, json::CopyPadded(buffer, parent_json), document, root) ||
      !maker.ReadRoot(root) || !json::AtEnd(document) || !maker.Whole()) {
    return Error{Code::kInvalid, "make a successor",
                 "expected a JobRun with a name, a uid and a spec"};
  }
  return maker.Write(successor);
}

std::string WriteDeleteOptions(Uid uid, std::uint64_t resource_version) {
  json::Writer writer;
  writer.Open().Text("apiVersion", "v1").Text("kind", "DeleteOptions");
  writer.Key("preconditions").Open().Text("uid", FormatUid(uid));
  return writer.Text("resourceVersion", std::to_string(resource_version)).Close().Close().Take();
}

}  // namespace jobrun
