#include "controller/kube/kubeconfig_reader.h"

#include <filesystem>
#include <set>
#include <utility>

#include "controller/kube/base64.h"

namespace jobrun {

YAML::Node KubeconfigSection::At(const char* key) const {
  const YAML::Node value = node[key];
  return value && !value.IsNull() ? value : YAML::Node(YAML::NodeType::Undefined);
}

void KubeconfigReader::Fail(const KubeconfigSection& at, const YAML::Mark& mark,
                            const std::string& detail) {
  const std::string where = mark.is_null() ? std::string()
                                           : "line " + std::to_string(mark.line + 1) + ", column " +
                                                 std::to_string(mark.column + 1) + ": ";
  const std::string title = at.title.empty() ? std::string() : at.title + ": ";
  Fail({Code::kInvalid, "read the kubeconfig " + at.file, where + title + detail});
}

void KubeconfigReader::Fail(Error error) {
  if (!error_) error_ = std::move(error);
}

void KubeconfigReader::RefuseDuplicates(const KubeconfigSection& section) {
  std::set<std::string> seen;
  for (const auto& entry : section.node) {
    if (!entry.first.IsScalar() || seen.insert(entry.first.Scalar()).second) continue;
    Fail(section, entry.first.Mark(), "the key \"" + entry.first.Scalar() + "\" is there twice");
  }
}

KubeconfigSection KubeconfigReader::Map(const KubeconfigSection& parent, const char* key) {
  const YAML::Node value = parent.At(key);
  KubeconfigSection section{YAML::Node(YAML::NodeType::Map), parent.file, parent.title};
  if (!value) return section;
  if (!value.IsMap()) {
    Fail(parent, value.Mark(), std::string(key) + ": expected a mapping");
    return section;
  }
  section.node.reset(value);
  RefuseDuplicates(section);
  return section;
}

YAML::Node KubeconfigReader::List(const KubeconfigSection& section, const char* key) {
  const YAML::Node value = section.At(key);
  if (value && value.IsSequence()) return value;
  if (value) Fail(section, value.Mark(), std::string(key) + ": expected a list");
  return YAML::Node(YAML::NodeType::Sequence);
}

std::string KubeconfigReader::Text(const KubeconfigSection& section, const char* key) {
  const YAML::Node value = section.At(key);
  if (!value) return {};
  if (value.IsScalar()) return value.Scalar();
  Fail(section, value.Mark(), std::string(key) + ": expected a string");
  return {};
}

bool KubeconfigReader::Flag(const KubeconfigSection& section, const char* key) {
  const std::string text = Text(section, key);
  if (text.empty() || text == "false") return false;
  if (text != "true") {
    Fail(section, section.At(key).Mark(), std::string(key) + ": expected true or false");
  }
  return true;
}

std::string KubeconfigReader::Path(const KubeconfigSection& section, const char* key) {
  const std::string path = Text(section, key);
  if (path.empty()) return {};
  return (std::filesystem::path(section.file).parent_path() / path).lexically_normal().string();
}

std::string KubeconfigReader::Base64(const KubeconfigSection& section, const char* key) {
  std::optional<std::string> bytes = DecodeBase64(Text(section, key));
  if (bytes) return std::move(*bytes);
  Fail(section, section.At(key).Mark(), std::string(key) + ": expected base64 text");
  return {};
}

PemSource KubeconfigReader::Pem(const KubeconfigSection& section, const std::string& key) {
  PemSource source{Path(section, key.c_str()), Base64(section, (key + "-data").c_str())};
  if (!source.inline_pem.empty()) source.file.clear();  // as kubectl has it
  return source;
}

}  // namespace jobrun
