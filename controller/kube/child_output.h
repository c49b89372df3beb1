// Running a program for what it prints.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

#include "controller/base/result.h"
#include "controller/base/time.h"

namespace jobrun {

struct ChildCommand {
  std::vector<std::string> words{};        // the first is a path, or a name looked for in $PATH
  std::vector<std::string> environment{};  // "NAME=value", whole
  bool inherits_input{false};              // else its standard input is empty
  std::size_t output_bytes_max{0};
  Nanos time_max{};
  const std::atomic<bool>* stop{nullptr};  // ends it early, when it becomes true; may be null
};

// Runs it without a shell and returns what it printed once it has ended with exit code 0. Its
// standard error is ours; it inherits no other file, no blocked or ignored signal. Blocks the
// calling thread. One that takes too long, prints too much or is stopped is killed: with all that
// it started, unless it inherits our input, and so belongs to the terminal's processes. What it
// leaves behind when it ends by itself goes on, even where it keeps the output open. It has always
// been waited for.
//
// kNotFound: there is no such command. kTransient: it took too long, or was stopped. kInvalid: the
// rest.
[[nodiscard]] Result<std::string> RunForOutput(const ChildCommand& command);

}  // namespace jobrun
