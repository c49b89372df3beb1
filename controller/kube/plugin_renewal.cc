#include "controller/kube/plugin_renewal.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "controller/base/real_clock.h"
#include "controller/base/rfc3339.h"
#include "controller/kube/plugin_answer.h"
#include "controller/kube/tls.h"

namespace jobrun {
namespace {

// Years, as some plugins give, would overflow a time in nanoseconds.
constexpr Nanos kLongestLife = std::chrono::hours(24 * 365);

// How long it will last; nothing: nobody knows.
std::optional<Nanos> LifeOf(const ExecCredential& given) {
  std::optional<Nanos> life;
  const auto note = [&life](std::chrono::microseconds left) {
    const auto fits = std::chrono::duration_cast<std::chrono::microseconds>(kLongestLife);
    const Nanos end = std::clamp(left, std::chrono::microseconds(0), fits);
    life = std::min(life.value_or(end), end);
  };
  if (given.expires) note(*given.expires - ReadWallClock());
  // A connection with an expired certificate fails before any 401 could tell of it.
  if (const auto left = CertificateLifeLeft(given.certificate_pem)) note(*left);
  return life;
}

}  // namespace

PluginRenewal::PluginRenewal(const Credentials& credentials, LogSink* log, RenewalTimes times)
    : credentials_(credentials), log_(log), times_(times), pause_(times.pause) {}

Result<std::unique_ptr<PluginRenewal>> PluginRenewal::Start(const Credentials& credentials,
                                                            LogSink* log, RenewalTimes times) {
  std::unique_ptr<PluginRenewal> renewal(new PluginRenewal(credentials, log, times));
  Result<ExecCredential> given = renewal->Ask(/*may_ask=*/true);
  if (!given.ok()) return given.error();
  {
    const std::lock_guard lock(renewal->mutex_);
    renewal->Take(std::move(given).value());
  }
  renewal->thread_ = std::thread([self = renewal.get()] { self->Run(); });
  return renewal;
}

PluginRenewal::~PluginRenewal() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const ExecCredential> PluginRenewal::Held() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

void PluginRenewal::Renew() {
  {
    const std::lock_guard lock(mutex_);
    due_ = std::min(due_, std::max(ReadClocks().mono, earliest_));
  }
  changed_.notify_all();
}

Result<ExecCredential> PluginRenewal::Ask(bool may_ask) const {
  return AskPlugin(credentials_, {.may_ask = may_ask,
                                  .time_max = times_.run_max,
                                  .time_max_asking = times_.run_max_asking,
                                  .stop = &stop_});
}

void PluginRenewal::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const Mono now = ReadClocks().mono;
    if (due_ == Mono::max()) {
      changed_.wait(lock);
      continue;
    }
    if (now < due_) {
      changed_.wait_for(lock, due_ - now);
      continue;
    }
    lock.unlock();
    Result<ExecCredential> given = Ask(/*may_ask=*/false);
    lock.lock();
    if (stop_) return;
    // Refusals that came while it ran were of what it replaces.
    due_ = Mono::max();
    const bool renewed = given.ok();
    pause_ = renewed ? times_.pause : std::min(pause_ * 2, times_.pause_max);
    earliest_ = ReadClocks().mono + pause_;
    if (renewed) {
      Take(std::move(given).value());
    } else {
      due_ = earliest_;
      Warn(given.error().ToString());
    }
  }
}

void PluginRenewal::Take(ExecCredential given) {
  const std::optional<Nanos> life = LifeOf(given);
  if (life) due_ = std::max(earliest_, ReadClocks().mono + *life / 5 * 4);
  held_ = std::make_shared<const ExecCredential>(std::move(given));
  if (!life || *life > Nanos(0)) {
    warned_ = false;
    return;
  }
  due_ = std::max(due_, ReadClocks().mono + times_.pause);
  Warn(credentials_.exec->Title() +
       " gives credentials that have expired already; is this machine's clock right?");
}

void PluginRenewal::Warn(const std::string& error) {
  if (!warned_ && log_ != nullptr) {
    log_->Write({LogLevel::kWarn,
                 "credentials can't be renewed, the last ones stay in use",
                 {{"error", error}}});
  }
  warned_ = true;
}

}  // namespace jobrun
