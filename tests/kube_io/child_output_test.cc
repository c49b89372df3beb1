#include "controller/kube/child_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include "controller/base/real_clock.h"
#include "tests/kube_io/client.h"
#include "tests/kube_io/plugin.h"

namespace jobrun {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Eventually;
using testing::TempDir;

ChildCommand Shell(const std::string& script) {
  return {.words = {"/bin/sh", "-c", script},
          .environment = {"PATH=/usr/bin:/bin"},
          .output_bytes_max = 1000,
          .time_max = seconds(60)};
}

std::string Printed(const std::string& script) {
  const Result<std::string> output = RunForOutput(Shell(script));
  return output.ok() ? output.value() : "error: " + output.error().detail;
}

// Nothing that was started is left over, not even as a zombie.
class ChildOutputTest : public ::testing::Test {
 protected:
  ~ChildOutputTest() override {
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
  }
};

TEST_F(ChildOutputTest, IsWhatIsPrintedBeforeTheEnd) {
  EXPECT_EQ(Printed("echo hello; echo world"), "hello\nworld\n");
  EXPECT_EQ(Printed("exit 0"), "");
  EXPECT_EQ(Printed("exec >&-; exit 0"), "") << "one that closes its output is waited for";
}

TEST_F(ChildOutputTest, WordsAreHandedOverAsTheyAre) {
  ChildCommand command = Shell("printf '%s|' \"$0\" \"$@\" $NAME");
  command.words.insert(command.words.end(), {"a b", "$(id)", "'", ""});
  command.environment.emplace_back("NAME=value");
  EXPECT_EQ(RunForOutput(command).value(), "a b|$(id)|'||value|");
}

TEST_F(ChildOutputTest, FailuresAreTold) {
  EXPECT_EQ(Printed("echo x; exit 3"),
            "error: it ended with exit code 3; what it says about it is on standard error");
  EXPECT_EQ(Printed("kill -9 $$"), "error: it was ended by signal 9");
}

TEST_F(ChildOutputTest, WhatCanNotBeStartedIsTold) {
  const TempDir dir;
  ChildCommand command = Shell("");
  command.words = {"no-such-command-anywhere"};
  EXPECT_EQ(RunForOutput(command).error().code, Code::kNotFound);
  command.words = {dir.path() + "/none"};
  EXPECT_EQ(RunForOutput(command).error().code, Code::kNotFound);
  command.words = {dir.Write("plain", "echo x\n")};
  EXPECT_EQ(RunForOutput(command).error().detail, "it can't be started: Permission denied");
  chmod(command.words[0].c_str(), 0755);
  EXPECT_EQ(RunForOutput(command).error().detail, "it can't be started: Exec format error")
      << "no shell takes over";
}

TEST_F(ChildOutputTest, IsBounded) {
  const std::string script = "head -c 1000 /dev/zero | tr '\\0' x";
  EXPECT_EQ(Printed(script), std::string(1000, 'x'));
  EXPECT_EQ(Printed(script + "; echo"), "error: it printed more than 1000 bytes");
  EXPECT_EQ(Printed("yes"), "error: it printed more than 1000 bytes");
}

TEST_F(ChildOutputTest, OneThatHangsIsKilledWithAllThatItStarted) {
  const TempDir dir;
  ChildCommand command = Shell("sleep 1000 & echo $! > " + dir.path() + "/child.new; mv " +
                               dir.path() + "/child.new " + dir.path() + "/child; wait");
  command.time_max = milliseconds(300);
  const Mono before = ReadClocks().mono;
  const Result<std::string> output = RunForOutput(command);
  EXPECT_EQ(output.error().detail, "it did not end within 300 ms");
  EXPECT_EQ(output.error().code, Code::kTransient);
  EXPECT_GE(ReadClocks().mono - before, command.time_max);
  const pid_t child = std::atoi(ReadCredentialFile(dir.path() + "/child")->c_str());
  ASSERT_GT(child, 0);
  // Somebody else's to wait for, so it may stay as a zombie.
  const std::string status = "/proc/" + std::to_string(child) + "/stat";
  Eventually([&] {
    const Result<std::string> text = ReadCredentialFile(status);
    return !text.ok() || text->find(") Z") != std::string::npos;
  });
}

TEST_F(ChildOutputTest, OneThatIsStoppedIsKilled) {
  std::atomic<bool> stop{false};
  ChildCommand command = Shell("exec sleep 1000");
  command.stop = &stop;
  std::thread stopper([&] {
    poll(nullptr, 0, 50);
    stop = true;
  });
  EXPECT_EQ(RunForOutput(command).error().detail, "it was stopped");
  stopper.join();
}

// As some plugins leave a server behind that keeps credentials.
TEST_F(ChildOutputTest, WhatItLeavesBehindIsNotWaitedFor) {
  const TempDir dir;
  const std::string output =
      Printed("sleep 1000 & echo $! > " + dir.path() + "/left; echo done; exit 0");
  EXPECT_EQ(output, "done\n");
  const pid_t left = std::atoi(ReadCredentialFile(dir.path() + "/left")->c_str());
  ASSERT_GT(left, 0);
  EXPECT_EQ(kill(left, 0), 0) << "and lives on";
  kill(left, SIGKILL);
}

TEST_F(ChildOutputTest, InheritsNoFileButStandardError) {
  const TempDir dir;
  // Without O_CLOEXEC, as libraries open files.
  const int leaky = open(dir.Write("x", "").c_str(), O_RDONLY);
  EXPECT_EQ(Printed("ls /proc/$$/fd; readlink /proc/$$/fd/0"), "0\n1\n2\n/dev/null\n");
  close(leaky);
}

TEST_F(ChildOutputTest, InheritsNoSignalsThatAreIgnoredOrBlocked) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto pipe_before = signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(Printed("grep SigBlk /proc/self/status"), "SigBlk:\t0000000000000000\n");
  // All but 32 and 33, which are the C library's own.
  EXPECT_EQ(Printed("grep SigIgn /proc/self/status").substr(17), "0000000\n");
  signal(SIGPIPE, pipe_before);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Process 1 of a container waits for any child, and so for this one too.
TEST_F(ChildOutputTest, OneThatIsReapedByAnotherPartOfTheProcessIsJudgedByItsOutput) {
  const auto before = signal(SIGCHLD, SIG_IGN);  // the kernel reaps
  EXPECT_EQ(Printed("echo hello; exit 3"), "hello\n");
  signal(SIGCHLD, before);
}

}  // namespace
}  // namespace jobrun
