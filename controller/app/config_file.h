// The configuration file while the program runs: noticed when it changes, taken when it is good.
#pragma once

#include <optional>
#include <string>

#include "controller/app/config.h"

namespace jobrun {

// One file, by its path: a file that was replaced, as a ConfigMap's are, is the same one.
class ConfigFile {
 public:
  explicit ConfigFile(std::string path) : path_(std::move(path)) {}

  // The first reading; what a bad value means then is ParseConfig's business.
  [[nodiscard]] Result<LoadedConfig> Load();

  // Nothing as long as the file has the bytes of the last reading. A file that can't be read, and
  // one with a bad value anywhere, is an error, told once: what was loaded before holds on.
  [[nodiscard]] std::optional<Result<LoadedConfig>> Changed();

 private:
  std::string path_;
  std::string text_{};
  bool unreadable_{false};
};

}  // namespace jobrun
