// What the soak's runs and lanes ask for, drawn at random.
#pragma once

#include <string>
#include <vector>

#include "controller/base/random.h"
#include "controller/engine/settings.h"

namespace jobrun {

class SoakDraw {
 public:
  static constexpr std::uint64_t kSecondsMost = 60;  // of any limit here

  explicit SoakDraw(Random& random) : random_(random) {}

  [[nodiscard]] bool OneIn(std::uint64_t n) { return random_.Below(n) == 0; }
  [[nodiscard]] Seconds Between(std::uint64_t least, std::uint64_t most) {
    return Seconds(least + random_.Below(most - least + 1));
  }
  template <class T, std::size_t N>
  [[nodiscard]] T Of(const T (&choices)[N]) {
    return choices[random_.Below(N)];
  }

  [[nodiscard]] Settings Configuration() {
    Settings settings;
    settings.defaults = {.pending_deadline = Between(20, 60),
                         .claim_ttl = Between(20, 60),
                         .heartbeat_interval = Between(1, 3),
                         .heartbeat_timeout = Between(4, 15),
                         .finalize_grace = Between(0, 20),
                         .cancel_grace = Between(0, 20)};
    settings.defaults.retry.backoff = Between(1, 10);
    settings.defaults.retry.max_backoff = Between(10, 20);
    if (OneIn(2)) settings.defaults.retry.max_attempts = static_cast<int>(2 + random_.Below(3));
    if (OneIn(3)) settings.defaults.ttl = Between(0, 60);
    settings.lanes = {{.name = "coarse"}, {.name = "dry"}, {.name = "off"}, {.name = "torn"}};
    settings.lanes[0].thresholds = {.claim_ttl = Between(10, 40),
                                    .heartbeat_mode = HeartbeatMode::kIgnored};
    settings.lanes[0].thresholds.completion_gates = {"Uploaded"};
    settings.lanes[0].thresholds.retry.max_attempts = 2;
    settings.lanes[1].thresholds.reaping = Reaping::kDryRun;
    settings.lanes[2].thresholds.reaping = Reaping::kDisabled;
    settings.lanes[3].held = true;
    settings.rate_limit = {.reaps_per_second = OneIn(2) ? 0.0 : 1.0,
                           .burst = 1,
                           .in_flight = static_cast<int>(1 + random_.Below(4)),
                           .visits_per_second = OneIn(3) ? 1.0 : 500.0};
    return settings;
  }

  [[nodiscard]] Thresholds Spec() {
    Thresholds spec;
    if (OneIn(10)) spec.reaping = static_cast<Reaping>(random_.Below(3));
    if (OneIn(3)) spec.pending_deadline = Between(5, 40);
    if (OneIn(4)) spec.deadline = Between(10, 60);
    if (OneIn(5)) spec.backstop = Between(10, 60);
    if (OneIn(4)) spec.claim_ttl = Between(5, 40);
    if (OneIn(3)) spec.heartbeat_mode = static_cast<HeartbeatMode>(random_.Below(3));
    if (OneIn(3)) spec.heartbeat_interval = Between(1, 4);
    if (OneIn(3)) spec.heartbeat_timeout = Between(2, 20);
    if (OneIn(4)) spec.first_timeout = Between(3, 20);
    if (OneIn(5)) spec.progress_timeout = Between(5, 40);
    if (OneIn(4)) spec.finalize_grace = Between(0, 20);
    if (OneIn(4)) spec.cancel_grace = Between(0, 20);
    if (OneIn(4)) spec.ttl = Between(0, 60);
    if (OneIn(4)) spec.completion_gates = {"Uploaded"};
    if (spec.completion_gates && OneIn(2)) spec.completion_gates->emplace_back("Checked");
    if (OneIn(2)) spec.retry = Retry();
    return spec;
  }

  // Empty: no key.
  [[nodiscard]] std::string Key() {
    static constexpr const char* kKeys[] = {"", "", "", "k=1", "a,b", "c", "d", "e"};
    return Of(kKeys);
  }
  [[nodiscard]] std::string Lane() {
    static constexpr const char* kLanes[] = {"default", "default", "default", "elsewhere",
                                             "coarse",  "dry",     "off",     "torn"};
    return Of(kLanes);
  }
  // Of the worker's own report.
  [[nodiscard]] std::string Reason() {
    static constexpr const char* kReported[] = {"Reported", "Reported",  "HandedBack",
                                                "",         "OutOfDisk", "Cancelled"};
    return Of(kReported);
  }
  [[nodiscard]] int ExitCode() { return OneIn(2) ? 0 : static_cast<int>(1 + random_.Below(3)); }

 private:
  [[nodiscard]] RetryRules Retry() {
    RetryRules retry;
    if (!OneIn(5)) retry.max_attempts = static_cast<int>(1 + random_.Below(4));
    if (OneIn(2)) retry.backoff = Between(1, 10);
    if (OneIn(3)) retry.max_backoff = Between(10, 20);
    if (OneIn(4)) {
      static constexpr const char* kRetried[] = {"HeartbeatTimeout", "ExitNonZero", "Reported",
                                                 "PendingDeadlineExceeded", "Cancelled"};
      retry.on.emplace();
      for (const char* reason : kRetried) {
        if (OneIn(2)) retry.on->emplace_back(reason);
      }
      if (OneIn(2)) retry.on->emplace_back("HandedBack");
    }
    if (OneIn(6)) retry.exit_codes_in = {1, 2};
    if (OneIn(6)) retry.exit_codes_not_in = {2};
    return retry;
  }

  Random& random_;
};

}  // namespace jobrun
