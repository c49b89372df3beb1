// jobrun, also kubectl-jobrun: for workers and for people. cli/ has the commands.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/base/wording.h"
#include "worker/cli/tool.h"

namespace {

using namespace jobrun;  // NOLINT(google-build-using-namespace): the program's own

void AddCommands(const CommandLine& line) {
  AddExec(line);
  AddWork(line);
  AddBeat(line);
  AddComplete(line);
  AddCreate(line);
  AddList(line);
  AddExplain(line);
  AddRetry(line);
  AddTop(line);
  AddCompletion(line);
}

// What nothing has taken of the command line, if anything: the library's own words don't name it.
std::string Unknown(const CLI::App& app) {
  const std::vector<std::string> rest = app.remaining(true);
  if (rest.empty()) return "";
  std::vector<std::string> names;
  const CLI::App* called = &app;
  if (!app.get_subcommands().empty()) called = app.get_subcommands().front();
  const bool flag = rest.front().starts_with('-');
  for (const CLI::Option* option : called->get_options()) {
    if (flag) names.push_back(option->get_name());
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!flag) names.push_back(command->get_name());
  }
  const std::string word = rest.front().substr(0, rest.front().find('='));
  const std::string_view near = NearestName(word, {names.begin(), names.end()});
  return std::string("unknown ") + (flag ? "flag " : "command ") + ShownText(word) +
         (near.empty() ? "" : ", did you mean " + std::string(near) + '?');
}

int Usage(const CLI::App& app, const CommonFlags& flags, const CLI::ParseError& error) {
  const bool unknown =
      dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr || app.get_subcommands().empty();
  std::string text = unknown ? Unknown(app) : "";
  if (text.empty()) text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return Tool(flags).FailUsage(text + " (see --help)");
}

// What is wrong with --output, for the command that was chosen.
std::string MistakeIn(const CommonFlags& flags) {
  std::string known;
  for (const std::string& output : flags.outputs) {
    if (output == flags.output) return "";
    known += (known.empty() ? "" : ", ") + output;
  }
  return "--output: expected one of " + known + ", found " + ShownText(flags.output);
}

int Main(int argc, const char* const* argv) {
  const std::string_view called(argc > 0 ? argv[0] : "");
  const bool plugin = called.ends_with("kubectl-jobrun");
  CLI::App app("Run, beat for and look at JobRuns.", plugin ? "kubectl jobrun" : "jobrun");
  app.set_help_flag("--help", "Print this help and exit");
  app.set_version_flag("--version", "jobrun " JOBRUN_VERSION, "Print the version and exit");
  app.require_subcommand(1);
  app.fallthrough();
  CommonFlags flags;
  Command chosen;
  app.add_option("-o,--output", flags.output, "text or json (default text): also of failures")
      ->option_text("FORMAT");
  AddCommands({app, flags, chosen});
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    Print(app.help());
    return kToolDone;
  } catch (const CLI::CallForVersion& version) {
    Print(std::string(version.what()) + '\n');
    return kToolDone;
  } catch (const CLI::ParseError& error) {
    return Usage(app, flags, error);
  }
  if (const std::string mistake = MistakeIn(flags); !mistake.empty()) {
    return Tool(flags).FailUsage(mistake);
  }
  Tool tool(flags);
  return chosen(tool);
}

}  // namespace

int main(int argc, char** argv) {
  int code = jobrun::kToolInternal;
  try {
    code = Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "jobrun: %s\n", error.what());
  }
  std::fflush(nullptr);
  // Not exit(): cpprestsdk's static destructors join threads and have crashed.
  _exit(code);
}
