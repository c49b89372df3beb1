// Strings as JSON.
#pragma once

#include <string>
#include <string_view>

namespace jobrun {

// Appends `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace jobrun
