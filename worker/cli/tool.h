// What every command of jobrun has: the flags that all share, and how it speaks.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/log.h"
#include "controller/kube/event_loop.h"
#include "worker/cli/api_client.h"
#include "worker/cli/exit_code.h"

namespace CLI {
class App;
}

namespace jobrun {

struct CommonFlags {
  std::string kubeconfig{};
  std::string context{};
  std::string name_space{};  // empty: that of the credentials, else "default"
  bool insecure{false};
  std::string output{"text"};  // how failures are told: "json" keeps them machine-readable
  std::vector<std::string> outputs{"text", "json"};  // that the chosen command knows
};

// A run as people name it: NAME, or NAMESPACE/NAME.
struct RunName {
  std::string name_space{};
  std::string name{};
  [[nodiscard]] std::string Text() const { return name_space + '/' + name; }
};

class Tool {
 public:
  explicit Tool(CommonFlags flags);

  // Connects at the first call. Fails with kToolForbidden when there are no usable credentials.
  [[nodiscard]] Result<ApiClient*> Api();
  [[nodiscard]] EventLoop& Loop() { return loop_; }
  [[nodiscard]] LogSink& Log() { return *log_; }
  [[nodiscard]] const CommonFlags& Flags() const { return flags_; }
  // --namespace, else that of the credentials, else "default". After Api.
  [[nodiscard]] std::string Namespace() const;
  // Nothing, and a word on stderr, for what names no run.
  [[nodiscard]] std::optional<RunName> NameOf(const std::string& text);

  // Says why on stderr, as --output asks, and returns the code.
  int Fail(const ToolFailure& failure);
  int FailUsage(const std::string& text) { return Fail({kToolUsage, text}); }
  int FailCredentials(const Error& error);

 private:
  CommonFlags flags_;
  EventLoop loop_{};
  std::unique_ptr<LogSink> log_;
  std::unique_ptr<ApiClient> api_{};
};

// What the command line chose; its result is the exit code.
using Command = std::function<int(Tool&)>;

// Adds --kubeconfig, --context, --namespace, --insecure to a command.
void AddCommonFlags(CLI::App& command, CommonFlags& flags);

// Prints to stdout, whole; a closed pipe ends the process as it does others.
void Print(const std::string& text);

// Each adds one command, which sets `chosen` when it is called.
struct CommandLine {
  CLI::App& app;
  CommonFlags& flags;
  Command& chosen;
};
void AddExec(const CommandLine& line);
void AddWork(const CommandLine& line);
void AddBeat(const CommandLine& line);
void AddComplete(const CommandLine& line);
void AddCreate(const CommandLine& line);
void AddList(const CommandLine& line);
void AddExplain(const CommandLine& line);
void AddRetry(const CommandLine& line);
void AddTop(const CommandLine& line);
void AddCompletion(const CommandLine& line);

}  // namespace jobrun
