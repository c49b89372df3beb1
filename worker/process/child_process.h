// The processes that do the work: each leads a process group of its own, so that signals reach
// whatever it has started.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/result.h"

namespace jobrun {

// Exit statuses as a shell has them.
inline constexpr int kStatusNotExecutable = 126;
inline constexpr int kStatusNotFound = 127;
inline constexpr int kStatusSignalBase = 128;

struct ChildOptions {
  std::vector<std::string> command{};  // program and arguments, no shell
  std::vector<std::pair<std::string, std::string>> environment{};  // beside our own
  int passed_fd{-1};  // the child has it as `passed_as`; -1: none
  int passed_as{-1};
  bool foreground{false};  // hand it the terminal, where we have it
};

// The file that `program` names: itself with a slash in it, else the first in $PATH. kNotFound, or
// kForbidden when it is there and can't be executed.
[[nodiscard]] Result<std::string> FindProgram(const std::string& program);

// A number for a file that is passed to a child: the first from 3 on that names nothing the child
// would inherit. A single digit, because that is all that some shells redirect to; -1 without one.
[[nodiscard]] int FreeChildFd();

// Forks and executes; the child's stdin, stdout and stderr are ours. It is killed when this process
// dies, so that no work goes on unwatched. Fails as FindProgram does, or with kInternal.
[[nodiscard]] Result<pid_t> StartChild(const ChildOptions& options);

// To all of its process group. One that is gone is none to complain about.
void SignalGroup(pid_t leader, int signal);

// The exit status of a child that has ended (128+n when signal n ended it), without reaping it: its
// process group can still be signalled then without hitting another. Nothing while it runs.
[[nodiscard]] std::optional<int> StatusIfEnded(pid_t child);
void Reap(pid_t pid);
// As process 1 we inherit the children of those that die: reaps what has ended, but for children
// that are `known`, whose parents do it. Does nothing in other processes.
void ReapOrphans(const std::function<bool(pid_t)>& known);

}  // namespace jobrun
