#include "worker/cli/tool.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "controller/base/log_text.h"
#include "controller/base/object_name.h"
#include "controller/base/real_clock.h"
#include "controller/base/wording.h"

namespace jobrun {
namespace {

// What is under the command's own output: stdout belongs to the work, or to what was asked for.
class StderrLines final : public LogSink {
 public:
  void Write(const LogLine& line) override {
    if (line.level == LogLevel::kDebug) return;
    const std::string text =
        "jobrun: " + FormatLogLine(line, LogFormat::kText, ReadWallClock()) + '\n';
    std::fwrite(text.data(), 1, text.size(), stderr);
  }
};

std::optional<std::string> ReadEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

Tool::Tool(CommonFlags flags) : flags_(std::move(flags)), log_(std::make_unique<StderrLines>()) {}

Result<ApiClient*> Tool::Api() {
  if (api_ != nullptr) return api_.get();
  auto credentials = FindCredentials({.kubeconfig = flags_.kubeconfig,
                                      .context = flags_.context,
                                      .insecure_skip_tls_verify = flags_.insecure,
                                      .environment = ReadEnvironment});
  if (!credentials) return credentials.error();
  for (const std::string& warning : credentials->warnings) {
    log_->Write({LogLevel::kWarn, "credentials", {{"warning", warning}}});
  }
  auto api = ApiClient::Connect(loop_, std::move(*credentials), *log_);
  if (!api) return api.error();
  api_ = std::move(*api);
  return api_.get();
}

std::string Tool::Namespace() const {
  if (!flags_.name_space.empty()) return flags_.name_space;
  if (api_ != nullptr && !api_->DefaultNamespace().empty()) return api_->DefaultNamespace();
  return "default";
}

std::optional<RunName> Tool::NameOf(const std::string& text) {
  const std::size_t slash = text.find('/');
  RunName run{Namespace(), text};
  if (slash != std::string::npos) run = {text.substr(0, slash), text.substr(slash + 1)};
  if (IsDnsLabel(run.name_space) && IsObjectName(run.name)) return run;
  FailUsage("expected the name of a run, NAME or NAMESPACE/NAME, found " + ShownText(text));
  return std::nullopt;
}

int Tool::Fail(const ToolFailure& failure) {
  std::string line;
  if (flags_.output == "json") {
    line = R"({"error":{"reason":")" + std::string(ToolExitName(failure.code)) +
           R"(","exitCode":)" + std::to_string(failure.code) + R"(,"message":")";
    AppendEscapedText(line, failure.text);
    line += "\"}}\n";
  } else {
    line = "jobrun: ";
    AppendEscapedText(line, failure.text);
    line += '\n';
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
  return failure.code;
}

int Tool::FailCredentials(const Error& error) {
  return Fail({kToolForbidden, "no usable credentials: " + error.ToString()});
}

void Print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void AddCommonFlags(CLI::App& command, CommonFlags& flags) {
  command
      .add_option("--kubeconfig", flags.kubeconfig,
                  "Kubeconfig file; without it $KUBECONFIG, the pod's service account, "
                  "~/.kube/config")
      ->option_text("FILE");
  command
      .add_option("--context", flags.context, "Context of the kubeconfig (default: its current)")
      ->option_text("NAME");
  command
      .add_option("-n,--namespace", flags.name_space,
                  "Namespace (default: that of the context, else default)")
      ->option_text("NAME");
  command.add_flag(
      "--insecure", flags.insecure,
      "Don't check the server's certificate: whoever is on the way can read and change "
      "what is sent");
}

}  // namespace jobrun
