// The commands and flags of the command line as plain values, for texts that are made from them:
// completion scripts, the man page. Pure.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace jobrun {

struct FlagNode {
  std::vector<std::string> names{};  // "-n", "--namespace"; none: an argument
  std::string value{};               // what its value is called, "FILE"; empty: it takes none
  std::string description{};
  bool required{false};
};

struct CommandNode {
  std::vector<std::string> names{};  // its name, then its aliases
  std::string description{};
  std::vector<FlagNode> flags{};
  std::vector<FlagNode> arguments{};
};

struct CommandTree {
  std::string description{};
  std::vector<FlagNode> flags{};  // of every command
  std::vector<CommandNode> commands{};
};
[[nodiscard]] CommandTree ReadCommandTree(const CLI::App& app);

// For `program`: "jobrun", or "kubectl-jobrun". Scripts for bash 4, zsh, fish.
[[nodiscard]] std::string BashCompletion(const CommandTree& tree, const std::string& program);
[[nodiscard]] std::string ZshCompletion(const CommandTree& tree, const std::string& program);
[[nodiscard]] std::string FishCompletion(const CommandTree& tree, const std::string& program);

// jobrun(1), in troff's man macros.
[[nodiscard]] std::string ManPage(const CommandTree& tree, const std::string& version);

}  // namespace jobrun
