#include "worker/cli/command_tree.h"

#include <CLI/CLI.hpp>

namespace jobrun {
namespace {

FlagNode FlagOf(const CLI::Option& option) {
  FlagNode flag{.description = option.get_description(), .required = option.get_required()};
  for (const std::string& name : option.get_snames()) flag.names.push_back('-' + name);
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  if (option.get_items_expected_max() > 0) flag.value = option.get_option_text();
  return flag;
}

void ReadFlags(const CLI::App& app, std::vector<FlagNode>& flags,
               std::vector<FlagNode>* arguments) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) {
      flags.push_back(FlagOf(*option));
    } else if (arguments != nullptr) {
      arguments->push_back(FlagOf(*option));
    }
  }
}

}  // namespace

CommandTree ReadCommandTree(const CLI::App& app) {
  CommandTree tree{.description = app.get_description()};
  ReadFlags(app, tree.flags, nullptr);
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    CommandNode command{.names = {each->get_name()}, .description = each->get_description()};
    for (const std::string& alias : each->get_aliases()) command.names.push_back(alias);
    ReadFlags(*each, command.flags, &command.arguments);
    // What every command has is told once.
    std::erase_if(command.flags,
                  [](const FlagNode& flag) { return flag.names.back() == "--help"; });
    tree.commands.push_back(std::move(command));
  }
  return tree;
}

}  // namespace jobrun
