// JobRuns that people hand in: files in YAML or JSON, and what the command line says.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "controller/base/result.h"
#include "worker/cli/tool.h"

namespace jobrun {

// The only document of a file ("-": standard input). kInvalid names the file, line and column.
// Plain scalars are read as YAML 1.2 does (JSON's literals and numbers), quoted ones are texts.
[[nodiscard]] Result<nlohmann::json> ReadManifest(const std::string& path);

// What `create` and `--create` take.
struct NewRunFlags {
  std::string file{};
  std::string lane{};
  std::string name{};
};
// The body of the POST. Its name is decided here, so that sending it twice makes one run: it is
// that of the manifest, its generateName with ten random digits, or the lane with them. kInvalid
// when the manifest is no JobRun, or contradicts the command line.
[[nodiscard]] Result<nlohmann::json> MakeRun(const NewRunFlags& flags,
                                             const std::string& name_space);

// A name that nobody else chooses: `stem`, '-' and ten random digits.
[[nodiscard]] std::string RandomName(std::string stem);

// Creates it; an answer that was lost is asked for again. Failures are told.
struct CreatedRun {
  int code{0};  // of the command, when there is no run
  RunName name{};
  std::string body{};  // the object, as the API server made it
};
[[nodiscard]] CreatedRun CreateRun(Tool& tool, ApiClient& api, const NewRunFlags& flags);

}  // namespace jobrun
