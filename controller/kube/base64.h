// Base64 of RFC 4648, with padding, as kubeconfigs and HTTP hold it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jobrun {

[[nodiscard]] std::string EncodeBase64(std::string_view bytes);

// Spaces and line ends are passed over. Nothing for what is not base64.
[[nodiscard]] std::optional<std::string> DecodeBase64(std::string text);

}  // namespace jobrun
