// jobrun completion, jobrun man: texts made from the command line itself.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "controller/base/wording.h"
#include "worker/cli/command_tree.h"
#include "worker/cli/tool.h"

namespace jobrun {
namespace {

constexpr const char* kBashScript = R"sh(# bash completion for @PROGRAM@
@FUNCTION@() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command='' flags='' runs i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    @COMMAND_CASE@) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  COMPREPLY=()
  case $before in
    @FILE_FLAGS@) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    @VALUE_FLAGS@) return ;;
  esac
  case $command in
    '') flags='@COMMANDS@' ;;
@FLAG_CASES@  esac
  if [[ -n $command && $word != -* && ' @WITH_RUNS@ ' == *" $command "* ]]; then
    runs=$(@PROGRAM@ list -o name 2>/dev/null)
    mapfile -t COMPREPLY < <(compgen -W "$runs" -- "$word")
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$flags @GLOBAL_FLAGS@" -- "$word")
}
complete -o default -F @FUNCTION@ @PROGRAM@
)sh";

std::string Joined(const std::vector<std::string>& words, const char* between = " ") {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::vector<std::string> NamesOf(const std::vector<FlagNode>& flags, const char* value = nullptr) {
  std::vector<std::string> names;
  for (const FlagNode& flag : flags) {
    if (value != nullptr && flag.value != value) continue;
    names.insert(names.end(), flag.names.begin(), flag.names.end());
  }
  return names;
}

bool TakesRun(const CommandNode& command) {
  return std::ranges::any_of(command.arguments,
                             [](const FlagNode& argument) { return argument.value == "RUN"; });
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Within single quotes of a shell.
std::string Quoted(const std::string& text) { return Replaced(text, "'", "'\\''"); }

std::string FunctionOf(const std::string& program) { return '_' + Replaced(program, "-", "_"); }

int Completion(Tool& tool, const CLI::App& app, const std::string& shell) {
  const CommandTree tree = ReadCommandTree(app);
  if (shell == "bash") {
    Print(BashCompletion(tree, "jobrun"));
  } else if (shell == "zsh") {
    Print(ZshCompletion(tree, "jobrun"));
  } else if (shell == "fish") {
    Print(FishCompletion(tree, "jobrun"));
  } else {
    return tool.FailUsage("expected bash, zsh or fish, found " + ShownText(shell));
  }
  return kToolDone;
}

}  // namespace

std::string BashCompletion(const CommandTree& tree, const std::string& program) {
  std::vector<std::string> names;
  std::string cases;
  std::vector<std::string> files = NamesOf(tree.flags, "FILE");
  std::vector<std::string> valued;
  const auto add_valued = [&valued](const std::vector<FlagNode>& flags) {
    for (const FlagNode& flag : flags) {
      if (!flag.value.empty()) valued.insert(valued.end(), flag.names.begin(), flag.names.end());
    }
  };
  add_valued(tree.flags);
  std::vector<std::string> with_runs;
  for (const CommandNode& command : tree.commands) {
    names.insert(names.end(), command.names.begin(), command.names.end());
    cases += "    " + Joined(command.names, "|") + ") flags='" + Joined(NamesOf(command.flags)) +
             "' ;;\n";
    const auto of_files = NamesOf(command.flags, "FILE");
    files.insert(files.end(), of_files.begin(), of_files.end());
    add_valued(command.flags);
    if (TakesRun(command)) {
      with_runs.insert(with_runs.end(), command.names.begin(), command.names.end());
    }
  }
  for (auto* list : {&files, &valued}) {
    std::ranges::sort(*list);
    list->erase(std::ranges::unique(*list).begin(), list->end());
  }
  std::string script = kBashScript;
  script = Replaced(std::move(script), "@FUNCTION@", FunctionOf(program));
  script = Replaced(std::move(script), "@PROGRAM@", program);
  script = Replaced(std::move(script), "@COMMANDS@", Joined(names));
  script = Replaced(std::move(script), "@COMMAND_CASE@", Joined(names, "|"));
  script = Replaced(std::move(script), "@FILE_FLAGS@", Joined(files, "|"));
  script = Replaced(std::move(script), "@VALUE_FLAGS@", Joined(valued, "|"));
  script = Replaced(std::move(script), "@WITH_RUNS@", Joined(with_runs));
  script = Replaced(std::move(script), "@GLOBAL_FLAGS@", Joined(NamesOf(tree.flags)));
  return Replaced(std::move(script), "@FLAG_CASES@", cases);
}

std::string ZshCompletion(const CommandTree& tree, const std::string& program) {
  const auto flag_lines = [](const std::vector<FlagNode>& flags) {
    std::string lines;
    for (const FlagNode& flag : flags) {
      std::string description = flag.description;
      for (const char* special : {"[", "]", ":"}) {
        description = Replaced(description, special, std::string("\\") + special);
      }
      for (const std::string& name : flag.names) {
        lines += " \\\n        '" + name + '[' + Quoted(description) + ']';
        if (!flag.value.empty()) {
          lines += ':' + flag.value + ':' + (flag.value == "FILE" ? "_files" : "");
        }
        lines += '\'';
      }
    }
    return lines;
  };
  std::string commands;
  std::string cases;
  for (const CommandNode& command : tree.commands) {
    for (const std::string& name : command.names) {
      commands += "    '" + name + ':' + Quoted(Replaced(command.description, ":", "\\:")) + "'\n";
    }
    cases += "    " + Joined(command.names, "|") + ")\n      _arguments -s" +
             flag_lines(command.flags) + flag_lines(tree.flags);
    if (TakesRun(command)) {
      cases += " \\\n        '*:run:($(" + program + " list -o name 2>/dev/null))'";
    }
    cases += " ;;\n";
  }
  const std::string function = FunctionOf(program);
  return "#compdef " + program + '\n' + function + "() {\n  local -a commands=(\n" + commands +
         "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
         "  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n" +
         cases + "  esac\n}\ncompdef " + function + ' ' + program + '\n';
}

std::string FishCompletion(const CommandTree& tree, const std::string& program) {
  const auto line = [&program](const std::string& condition, const FlagNode& flag) {
    std::string text = "complete -c " + program + condition;
    for (const std::string& name : flag.names) {
      text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    if (!flag.value.empty()) text += flag.value == "FILE" ? " -r -F" : " -x";
    return text + " -d '" + Replaced(Replaced(flag.description, "\\", "\\\\"), "'", "\\'") + "'\n";
  };
  std::string text = "complete -c " + program + " -f\n";
  for (const FlagNode& flag : tree.flags) text += line("", flag);
  for (const CommandNode& command : tree.commands) {
    text += "complete -c " + program + " -n __fish_use_subcommand -a '" + Joined(command.names) +
            "' -d '" + Replaced(command.description, "'", "\\'") + "'\n";
    const std::string seen = " -n '__fish_seen_subcommand_from " + Joined(command.names) + "'";
    for (const FlagNode& flag : command.flags) text += line(seen, flag);
    if (!TakesRun(command)) continue;
    text += "complete -c ";
    text += program + seen;
    text += " -a '(" + program + " list -o name 2>/dev/null)'\n";
  }
  return text;
}

void AddCompletion(const CommandLine& line) {
  const auto shell = std::make_shared<std::string>();
  CLI::App& completion = *line.app.add_subcommand(
      "completion", "Print a script that completes this command line: bash, zsh or fish");
  completion.add_option("shell", *shell, "bash, zsh or fish")->option_text("SHELL")->required();
  completion.callback([line, shell] {
    line.chosen = [&app = line.app, shell](Tool& tool) { return Completion(tool, app, *shell); };
  });
  CLI::App& man = *line.app.add_subcommand("man", "Print the man page: jobrun man | man -l -");
  man.callback([line] {
    line.chosen = [&app = line.app](Tool&) {
      Print(ManPage(ReadCommandTree(app), JOBRUN_VERSION));
      return static_cast<int>(kToolDone);
    };
  });
}

}  // namespace jobrun
