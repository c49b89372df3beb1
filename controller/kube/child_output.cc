#include "controller/kube/child_output.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "controller/base/real_clock.h"

namespace jobrun {
namespace {

// How late the end of a child that closed its output, and a stop, are noticed. A child's end wakes
// no poll of its pipe while a grandchild holds that open.
constexpr int kLookMilliseconds = 20;

Error Failed(Code code, std::string detail) { return {code, "run it", std::move(detail)}; }

class Descriptor {
 public:
  Descriptor() = default;
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void Close() {
    if (fd != -1) close(std::exchange(fd, -1));
  }
  int fd{-1};
};

// The attributes and file actions of one posix_spawn.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  posix_spawnattr_t attributes{};
  posix_spawn_file_actions_t actions{};
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

class Child {
 public:
  explicit Child(const ChildCommand& command) : command_(command) {}

  // 0, or the errno of what failed.
  [[nodiscard]] int Start();
  [[nodiscard]] Result<std::string> Finish();

 private:
  enum class Read : std::uint8_t { kNothingYet, kEnd, kTooMuch };

  [[nodiscard]] Read ReadAll();
  [[nodiscard]] bool HasEnded();
  void Kill();
  [[nodiscard]] Result<std::string> Judge();

  const ChildCommand& command_;
  Descriptor output_;
  pid_t pid_{-1};
  std::optional<int> status_{};  // of waitpid; 0 when another part of the process has reaped it
  std::string printed_{};
};

int Child::Start() {
  std::array<int, 2> ends{-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return errno;
  output_.fd = ends[0];
  Descriptor theirs;
  theirs.fd = ends[1];
  (void)fcntl(output_.fd, F_SETFL, O_NONBLOCK);

  SpawnPlan plan;
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&plan.attributes, &signals);
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&plan.attributes, &signals);
  const int group = command_.inherits_input ? 0 : POSIX_SPAWN_SETPGROUP;
  const int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group;
  posix_spawnattr_setflags(&plan.attributes, static_cast<short>(flags));
  if (!command_.inherits_input) {
    posix_spawn_file_actions_addopen(&plan.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&plan.actions, theirs.fd, STDOUT_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&plan.actions, STDERR_FILENO + 1);
  return posix_spawnp(&pid_, command_.words.front().c_str(), &plan.actions, &plan.attributes,
                      Pointers(command_.words).data(), Pointers(command_.environment).data());
}

Child::Read Child::ReadAll() {
  std::array<char, 4096> block{};
  for (;;) {
    const ssize_t got = read(output_.fd, block.data(), block.size());
    if (got == 0) return Read::kEnd;
    if (got < 0) return errno == EAGAIN || errno == EINTR ? Read::kNothingYet : Read::kEnd;
    printed_.append(block.data(), static_cast<std::size_t>(got));
    if (printed_.size() > command_.output_bytes_max) return Read::kTooMuch;
  }
}

bool Child::HasEnded() {
  if (status_) return true;
  int status = 0;
  const pid_t reaped = waitpid(pid_, &status, WNOHANG);
  if (reaped == pid_) status_ = status;
  // Process 1 of a container reaps whatever ends, and so may have got this one: the output tells.
  if (reaped < 0 && errno == ECHILD) status_ = 0;
  return status_.has_value();
}

void Child::Kill() {
  if (HasEnded()) return;
  kill(command_.inherits_input ? pid_ : -pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

Result<std::string> Child::Judge() {
  if (WIFSIGNALED(*status_)) {
    return Failed(Code::kInvalid, "it was ended by signal " + std::to_string(WTERMSIG(*status_)));
  }
  if (WEXITSTATUS(*status_) != 0) {
    return Failed(Code::kInvalid, "it ended with exit code " +
                                      std::to_string(WEXITSTATUS(*status_)) +
                                      "; what it says about it is on standard error");
  }
  return std::move(printed_);
}

Result<std::string> Child::Finish() {
  const Mono due = ReadClocks().mono + command_.time_max;
  pollfd wait{.fd = output_.fd, .events = POLLIN, .revents = 0};
  for (;;) {
    // In this order: what an ended child has printed is in the pipe.
    const bool ended = HasEnded();
    const Read read = ReadAll();
    if (read == Read::kTooMuch) {
      Kill();
      return Failed(Code::kInvalid,
                    "it printed more than " + std::to_string(command_.output_bytes_max) + " bytes");
    }
    if (ended) return Judge();
    if (command_.stop != nullptr && *command_.stop) {
      Kill();
      return Failed(Code::kTransient, "it was stopped");
    }
    if (ReadClocks().mono >= due) {
      Kill();
      const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(command_.time_max);
      return Failed(Code::kTransient,
                    "it did not end within " + std::to_string(limit.count()) + " ms");
    }
    if (read == Read::kEnd) wait.fd = -1;
    poll(&wait, 1, kLookMilliseconds);
  }
}

}  // namespace

Result<std::string> RunForOutput(const ChildCommand& command) {
  Child child(command);
  const int error = child.Start();
  if (error == 0) return child.Finish();
  const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kInvalid;
  return Failed(code, std::string("it can't be started: ") + std::strerror(error));
}

}  // namespace jobrun
