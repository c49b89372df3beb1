#include <string_view>

#include "worker/cli/command_tree.h"
#include "worker/cli/exit_code.h"

namespace jobrun {
namespace {

// As troff takes it: a '-' that can be copied, and no line that looks like a request.
std::string Troff(std::string_view text) {
  std::string written;
  for (const char c : text) {
    if (c == '\\') {
      written += "\\e";
    } else if (c == '-') {
      written += "\\-";
    } else {
      written += c;
    }
  }
  return written.starts_with('.') || written.starts_with('\'') ? "\\&" + written : written;
}

void WriteFlag(std::string& page, const FlagNode& flag) {
  page += ".TP\n";
  std::string names;
  for (const std::string& name : flag.names) {
    names += (names.empty() ? "" : ", ") + ("\\fB" + Troff(name) + "\\fR");
  }
  if (!flag.value.empty()) names += (names.empty() ? "\\fI" : " \\fI") + Troff(flag.value) + "\\fR";
  page += names + '\n' + Troff(flag.description) + (flag.required ? " (required)" : "") + '\n';
}

void WriteCommand(std::string& page, const CommandNode& command) {
  std::string head = command.names.front();
  for (const FlagNode& argument : command.arguments) {
    head += argument.required ? ' ' + argument.value : " [" + argument.value + ']';
  }
  page += ".SS \"jobrun " + Troff(head) + "\"\n" + Troff(command.description) + ".\n";
  for (std::size_t i = 1; i < command.names.size(); ++i) {
    page += "Also called \\fB" + Troff(command.names[i]) + "\\fR.\n";
  }
  for (const FlagNode& argument : command.arguments) WriteFlag(page, argument);
  for (const FlagNode& flag : command.flags) WriteFlag(page, flag);
}

struct ExitMeaning {
  int code;
  std::string_view meaning;
};
constexpr ExitMeaning kExits[] = {
    {kToolDone, "Done."},
    {kToolInternal, "A fault of jobrun's own, or a refusal that none of the others describes."},
    {kToolUsage, "The command line, or a file that it names, is wrong."},
    {kToolOver, "The run has ended, or is not this worker's any more: stop the work."},
    {kToolNotFound, "There is no such run."},
    {kToolUnreachable, "The API server gave no usable answer."},
    {kToolTaken, "The run is claimed by, or assigned to, another worker."},
    {kToolForbidden, "A right is missing, or the credentials are not usable."},
};

}  // namespace

std::string ManPage(const CommandTree& tree, const std::string& version) {
  std::string page = R"(.TH JOBRUN 1 "" "jobrun )" + version +
                     "\" \"JobRun\"\n.SH NAME\njobrun \\- " + Troff(tree.description) +
                     "\n.SH SYNOPSIS\n\\fBjobrun\\fR \\fICOMMAND\\fR [\\fIFLAG\\fR...]\n.br\n"
                     "\\fBkubectl jobrun\\fR \\fICOMMAND\\fR [\\fIFLAG\\fR...]\n"
                     ".SH FLAGS OF EVERY COMMAND\n";
  for (const FlagNode& flag : tree.flags) WriteFlag(page, flag);
  page += ".SH COMMANDS\n";
  for (const CommandNode& command : tree.commands) WriteCommand(page, command);
  page +=
      ".SH EXIT STATUS\n\\fBjobrun exec\\fR ends with its command's status: its exit code, 128 "
      "and the number of the signal that ended it, 126 and 127 as a shell has them.\n";
  for (const ExitMeaning& exit : kExits) {
    page += ".TP\n" + std::to_string(exit.code) + '\n' + Troff(exit.meaning) + '\n';
  }
  page += ".SH SEE ALSO\n\\fBkubectl\\fR(1)\n";
  return page;
}

}  // namespace jobrun
