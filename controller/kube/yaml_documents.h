// Finds what yaml-cpp's Load passes over: it reads the first document of a text and no more.
#pragma once

#include <yaml-cpp/mark.h>

#include <optional>
#include <string>

namespace jobrun {

// Where something follows the first document; nothing when only empty documents do. What follows
// need not be well-formed. Throws YAML::Exception when the first document is not.
[[nodiscard]] std::optional<YAML::Mark> FindFurtherDocument(const std::string& text);

}  // namespace jobrun
