// Strings as JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jobrun {

// Appends `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

// The longest beginning of `text` of whole characters that the API server, which counts what
// AppendJsonString makes of it once it is decoded, takes for at most `bytes_max` bytes.
[[nodiscard]] std::string_view CutText(std::string_view text, std::size_t bytes_max);

}  // namespace jobrun
