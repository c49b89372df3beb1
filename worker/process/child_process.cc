#include "worker/process/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace jobrun {
namespace {

Error Wrong(Code code, const std::string& program, const std::string& detail) {
  return {code, program, detail};
}

// What execve wants, made before the fork: between fork and exec nothing may be allocated.
class Vectors {
 public:
  explicit Vectors(const ChildOptions& options) : arguments_(options.command) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view text(*entry);
      const std::string_view name = text.substr(0, text.find('='));
      bool replaced = false;
      for (const auto& [key, value] : options.environment) replaced = replaced || key == name;
      if (!replaced) environment_.emplace_back(text);
    }
    for (const auto& [key, value] : options.environment) {
      environment_.emplace_back(key).append("=").append(value);
    }
    for (std::string& text : arguments_) argv_.push_back(text.data());
    for (std::string& text : environment_) envp_.push_back(text.data());
    argv_.push_back(nullptr);
    envp_.push_back(nullptr);
  }
  [[nodiscard]] char* const* argv() const { return argv_.data(); }
  [[nodiscard]] char* const* envp() const { return envp_.data(); }

 private:
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_{};
  std::vector<char*> argv_{};
  std::vector<char*> envp_{};
};

// What the child inherits beside its files: nothing of our signal handling.
void ResetSignals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGPIPE, SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) {
    ::signal(signal, SIG_DFL);
  }
}

// Gives the terminal to a group; a background process would be stopped for it, hence the mask.
void HandTerminalTo(pid_t group) {
  sigset_t tty;
  sigset_t before;
  sigemptyset(&tty);
  sigaddset(&tty, SIGTTOU);
  sigprocmask(SIG_BLOCK, &tty, &before);
  tcsetpgrp(STDIN_FILENO, group);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

struct ChildSide {
  const char* path;
  const Vectors& vectors;
  pid_t parent;
  int passed_fd;
  int passed_as;
  int errors;  // errno is written here when there is no exec
  bool terminal;
};

[[noreturn]] void Become(const ChildSide& side) {
  setpgid(0, 0);
  if (side.terminal) HandTerminalTo(getpid());
  ResetSignals();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != side.parent) _exit(kStatusSignalBase + SIGKILL);  // it died before that
  int errors = side.errors;
  if (errors == side.passed_as) errors = fcntl(errors, F_DUPFD_CLOEXEC, side.passed_as + 1);
  if (side.passed_fd == side.passed_as) {
    if (side.passed_fd >= 0) fcntl(side.passed_fd, F_SETFD, 0);
  } else {
    dup2(side.passed_fd, side.passed_as);
  }
  execve(side.path, side.vectors.argv(), side.vectors.envp());
  const int error = errno;
  (void)!write(errors, &error, sizeof error);
  _exit(kStatusNotExecutable);
}

// Empty once the child has executed.
std::optional<int> ReadError(int fd) {
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(fd, &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  close(fd);
  return got == static_cast<ssize_t>(sizeof error) ? std::optional<int>(error) : std::nullopt;
}

}  // namespace

Result<std::string> FindProgram(const std::string& program) {
  if (program.empty()) return Wrong(Code::kNotFound, "\"\"", "expected the name of a command");
  if (program.find('/') != std::string::npos) {
    if (access(program.c_str(), F_OK) != 0) {
      return Wrong(Code::kNotFound, program, "no such file");
    }
    if (access(program.c_str(), X_OK) != 0) {
      return Wrong(Code::kForbidden, program, "can't be executed");
    }
    return program;
  }
  const char* const set = std::getenv("PATH");
  std::string_view rest = set == nullptr ? "/usr/local/bin:/usr/bin:/bin" : set;
  bool there = false;
  while (true) {
    const std::size_t colon = rest.find(':');
    const std::string_view folder = rest.substr(0, colon);
    const std::string path = (folder.empty() ? "." : std::string(folder)) + '/' + program;
    if (access(path.c_str(), X_OK) == 0) return path;
    there = there || access(path.c_str(), F_OK) == 0;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return there ? Wrong(Code::kForbidden, program, "can't be executed")
               : Wrong(Code::kNotFound, program, "command not found in $PATH");
}

int FreeChildFd() {
  for (int fd = STDERR_FILENO + 1; fd <= 9; ++fd) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0) return fd;
  }
  return -1;
}

Result<pid_t> StartChild(const ChildOptions& options) {
  if (options.command.empty()) return Wrong(Code::kNotFound, "\"\"", "expected a command");
  const Result<std::string> path = FindProgram(options.command.front());
  if (!path) return path.error();
  const Vectors vectors(options);
  std::array<int, 2> errors{};
  if (pipe2(errors.data(), O_CLOEXEC) != 0) {
    return Wrong(Code::kInternal, *path, std::strerror(errno));
  }
  const bool terminal = options.foreground && tcgetpgrp(STDIN_FILENO) == getpgrp();
  const ChildSide side{.path = path->c_str(),
                       .vectors = vectors,
                       .parent = getpid(),
                       .passed_fd = options.passed_fd,
                       .passed_as = options.passed_as,
                       .errors = errors[1],
                       .terminal = terminal};
  const pid_t pid = fork();
  if (pid == 0) Become(side);
  const int fork_error = errno;
  close(errors[1]);
  if (pid < 0) {
    close(errors[0]);
    return Wrong(Code::kInternal, *path, std::strerror(fork_error));
  }
  setpgid(pid, pid);  // whoever of the two comes first
  if (const std::optional<int> error = ReadError(errors[0])) {
    Reap(pid);
    return Wrong(Code::kForbidden, *path, std::strerror(*error));
  }
  return pid;
}

void SignalGroup(pid_t leader, int signal) {
  if (leader > 1) kill(-leader, signal);
}

std::optional<int> StatusIfEnded(pid_t child) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(child);
  if (waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
    return std::nullopt;
  }
  return info.si_status + (info.si_code == CLD_EXITED ? 0 : kStatusSignalBase);
}

void Reap(pid_t pid) {
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
}

void ReapOrphans(const std::function<bool(pid_t)>& known) {
  if (getpid() != 1) return;
  siginfo_t info{};
  while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
    if (known(info.si_pid)) return;  // the rest comes with the next signal
    Reap(info.si_pid);
    info = {};
  }
}

}  // namespace jobrun
