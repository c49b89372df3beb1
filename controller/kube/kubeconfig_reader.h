// Reading the mappings of a kubeconfig: for this folder's kubeconfig*.cc, which include yaml-cpp.
#pragma once

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>

#include "controller/base/result.h"
#include "controller/kube/credentials.h"

namespace jobrun {

// A mapping of one file.
struct KubeconfigSection {
  YAML::Node node{};
  std::string file{};
  std::string title{};  // "cluster \"prod\"", for people

  // The value under `key`; false when it is not there or null.
  [[nodiscard]] YAML::Node At(const char* key) const;
};

// The first mistake found is kept in `error`; what is asked after it yields nothing.
class KubeconfigReader {
 public:
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  void Fail(const KubeconfigSection& at, const YAML::Mark& mark, const std::string& detail);
  void Fail(Error error);

  // yaml-cpp keeps the first of two equal keys without a word.
  void RefuseDuplicates(const KubeconfigSection& section);

  // The mapping under `key`; an empty one when it is missing or null.
  KubeconfigSection Map(const KubeconfigSection& parent, const char* key);
  // The list under `key`; an empty one when it is missing or null.
  YAML::Node List(const KubeconfigSection& section, const char* key);
  std::string Text(const KubeconfigSection& section, const char* key);
  bool Flag(const KubeconfigSection& section, const char* key);
  // A file name, made absolute from where the kubeconfig is.
  std::string Path(const KubeconfigSection& section, const char* key);
  // The decoded bytes of a "-data" key.
  std::string Base64(const KubeconfigSection& section, const char* key);
  // `key` names a file, and `key`-data holds its content.
  PemSource Pem(const KubeconfigSection& section, const std::string& key);

 private:
  std::optional<Error> error_;
};

}  // namespace jobrun
