#include "controller/app/config_file.h"

#include <utility>

#include "controller/app/text_file.h"

namespace jobrun {

Result<LoadedConfig> ConfigFile::Load() {
  Result<std::string> text = ReadTextFile(path_, kConfigBytesMax);
  if (!text) return text.error();
  text_ = std::move(*text);
  return ParseConfig(text_, path_);
}

std::optional<Result<LoadedConfig>> ConfigFile::Changed() {
  Result<std::string> text = ReadTextFile(path_, kConfigBytesMax);
  if (!text) {
    if (std::exchange(unreadable_, true)) return std::nullopt;
    return Result<LoadedConfig>(text.error());
  }
  const bool back = std::exchange(unreadable_, false);
  if (!back && *text == text_) return std::nullopt;
  text_ = std::move(*text);
  Result<LoadedConfig> config = ParseConfig(text_, path_);
  if (!config || config->warnings.empty()) return config;
  std::string detail;
  for (const std::string& mistake : config->mistakes) {
    detail += (detail.empty() ? "" : "; ") + mistake;
  }
  return Result<LoadedConfig>(Error{Code::kInvalid, path_, std::move(detail)});
}

}  // namespace jobrun
