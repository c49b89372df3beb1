// A credential plugin for tests: a script whose next answer the test decides.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "controller/base/log.h"
#include "controller/kube/credentials.h"
#include "tests/kube_io/client.h"
#include "tests/kube_io/pki.h"

namespace jobrun::testing {

// The `status` of an answer, as JSON.
[[nodiscard]] std::string TokenStatus(const std::string& token);
[[nodiscard]] std::string TokenStatus(const std::string& token, std::chrono::milliseconds life);
[[nodiscard]] std::string CertificateStatus(const Identity& identity);

class TestPlugin {
 public:
  // A plugin that gives the token "first".
  TestPlugin();

  // What it does from its next run on: lines of sh. It is replaced whole, never half.
  void Do(const std::string& lines) { dir_.Write("body", lines + "\n"); }
  void Give(const std::string& status);
  [[nodiscard]] int Runs() const;

  [[nodiscard]] const ExecPlugin& plugin() const { return plugin_; }
  [[nodiscard]] ExecPlugin& plugin() { return plugin_; }
  [[nodiscard]] const TempDir& dir() const { return dir_; }
  // Credentials for `url` that are the plugin's.
  [[nodiscard]] Credentials For(const std::string& url, const std::string& ca_pem) const;

 private:
  TempDir dir_;
  ExecPlugin plugin_{};
};

// Keeps the errors that are logged.
class LoggedErrors : public LogSink {
 public:
  void Write(const LogLine& line) override;
  [[nodiscard]] std::vector<std::string> Texts();

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

// Looks again and again, until `done` holds; fails the test when it does not within a minute.
void Eventually(const std::function<bool()>& done);

}  // namespace jobrun::testing
