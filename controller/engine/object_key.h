// "namespace/name" of a pod or a Lease, in one string.
#pragma once

#include <string>
#include <string_view>

namespace jobrun {

[[nodiscard]] inline std::string ObjectKey(std::string_view name_space, std::string_view name) {
  std::string key(name_space);
  return key.append("/").append(name);
}
[[nodiscard]] inline std::string_view NamespaceIn(std::string_view key) {
  return key.substr(0, key.find('/'));
}
[[nodiscard]] inline std::string_view NameIn(std::string_view key) {
  return key.substr(key.find('/') + 1);
}

}  // namespace jobrun
