// Credentials of a plugin, asked for again before they expire.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "controller/base/log.h"
#include "controller/base/result.h"
#include "controller/base/time.h"
#include "controller/kube/credentials.h"
#include "controller/wire/exec_credential.h"

namespace jobrun {

struct RenewalTimes {
  // Of one run. A plugin that asks an identity provider takes seconds.
  Nanos run_max{std::chrono::seconds(60)};
  Nanos run_max_asking{std::chrono::minutes(5)};  // while somebody logs in
  // Between two runs, however often credentials are refused and however short they live; doubled
  // with every failure up to the second.
  Nanos pause{std::chrono::seconds(10)};
  Nanos pause_max{std::chrono::minutes(5)};
};

// Has a thread of its own, which runs the plugin when four fifths of the credentials' life are
// over, or when it is asked to; never two at a time. What the plugin gave last stays until it gives
// something else, with one warning while it fails. Members may be called by any thread.
class PluginRenewal {
 public:
  // Runs credentials.exec, which must be set, and waits for it; an error of that first run is
  // returned. The credentials and the sink, which may be null, must outlive it.
  static Result<std::unique_ptr<PluginRenewal>> Start(const Credentials& credentials, LogSink* log,
                                                      RenewalTimes times);
  // Kills a plugin that is running, and waits for the thread.
  ~PluginRenewal();
  PluginRenewal(const PluginRenewal&) = delete;
  PluginRenewal& operator=(const PluginRenewal&) = delete;

  // What the plugin gave last: another object after every renewal, never null.
  [[nodiscard]] std::shared_ptr<const ExecCredential> Held() const;
  // The API server refuses what is held: the plugin is run soon. Never blocks.
  void Renew();

 private:
  PluginRenewal(const Credentials& credentials, LogSink* log, RenewalTimes times);

  [[nodiscard]] Result<ExecCredential> Ask(bool may_ask) const;
  void Run();
  void Take(ExecCredential given);  // with the lock held, like those below
  void Warn(const std::string& error);

  const Credentials& credentials_;
  LogSink* const log_;
  const RenewalTimes times_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const ExecCredential> held_;
  Mono due_{Mono::max()};       // max: only when it is asked for
  Mono earliest_{Mono::min()};  // the pause after the last run ends
  Nanos pause_;
  bool warned_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace jobrun
