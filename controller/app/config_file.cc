#include "controller/app/config_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace jobrun {
namespace {

// The file's bytes; one more than allowed of a file that is too large.
Result<std::string> ReadText(const std::string& path) {
  const auto unreadable = [&path] {
    return Error{Code::kInvalid, path, std::string("can't be read: ") + std::strerror(errno)};
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return unreadable();
  // One byte more than allowed tells a file that is too large, also where its size is not known.
  std::string text(kConfigBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.gcount() == 0 && errno != 0)) return unreadable();
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

Result<LoadedConfig> ConfigFile::Load() {
  Result<std::string> text = ReadText(path_);
  if (!text) return text.error();
  text_ = std::move(*text);
  return ParseConfig(text_, path_);
}

std::optional<Result<LoadedConfig>> ConfigFile::Changed() {
  Result<std::string> text = ReadText(path_);
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
