#include "tests/bench/loadserver/workload.h"

#include <algorithm>
#include <numeric>

namespace jobrun::bench {
namespace {

constexpr std::uint64_t kFirstVersion = 1'000'000'000;  // ten digits, as all that follow
// The published bound: a timeout and a second.
constexpr Nanos kMissedAfter = std::chrono::seconds(1);
constexpr double kLateFrom = 0.6;
constexpr double kLateSpan = 0.5;

std::uint32_t StrideFor(std::uint32_t runs) {
  auto stride = static_cast<std::uint32_t>(runs * 0.618);
  while (stride > 1 && std::gcd(stride, runs) != 1) --stride;
  return std::max(1U, stride);
}

}  // namespace

Workload::Workload(const WorkloadOptions& options)
    : options_(options),
      random_(options.seed),
      runs_(options.runs),
      version_(kFirstVersion),
      stride_(StrideFor(options.runs)) {
  for (Run& run : runs_) run.version = ++version_;
}

const Verdict* Workload::VerdictOf(std::uint32_t number) const {
  const auto found = verdicts_.find(number);
  return found == verdicts_.end() ? nullptr : &found->second;
}

void Workload::FirstTold(std::uint32_t number, Time now) {
  Run& run = runs_[number];
  if (run.last_beat != Mono::min()) return;
  run.last_beat = now.mono;
  run.heartbeat = now.wall;
}

void Workload::Begin(Mono now) {
  begin_ = now;
  begun_ = true;
}

double Workload::SinceBegin(Mono now) const {
  return std::chrono::duration<double>(now - begin_).count();
}

void Workload::Advance(Time now, const std::function<void(std::uint32_t)>& each) {
  if (!begun_) return;
  FallSilent(now.mono);
  BeatInTurn(now, each);
  BeatLate(now, each);
}

void Workload::Beat(std::uint32_t number, Time now) {
  Run& run = runs_[number];
  run.version = ++version_;
  run.heartbeat = now.wall;
  run.last_beat = now.mono;
  ++counts_.heartbeats;
}

// A silent run's turn passes unused, so that the others keep their interval.
void Workload::BeatInTurn(Time now, const std::function<void(std::uint32_t)>& each) {
  const auto due = static_cast<std::uint64_t>(SinceBegin(now.mono) * options_.rate);
  for (; turns_ < due; ++turns_) {
    turn_ = (turn_ + stride_) % options_.runs;
    if (runs_[turn_].doing != Doing::kBeating) continue;
    Beat(turn_, now);
    each(turn_);
  }
}

void Workload::BeatLate(Time now, const std::function<void(std::uint32_t)>& each) {
  while (!late_.empty() && late_.top().first <= now.mono) {
    const std::uint32_t number = late_.top().second;
    late_.pop();
    Run& run = runs_[number];
    if (run.doing ==
        Doing::kOver) {  // the API server refuses it: the worker learns that it is fenced
      ++counts_.late_refused;
      continue;
    }
    ++counts_.late_accepted;
    run.doing = Doing::kBeating;
    Beat(number, now);
    each(number);
  }
}

void Workload::FallSilent(Mono now) {
  // Not before every run has beaten: what was silent from the start would all come due at once.
  double since = SinceBegin(now) - options_.runs / std::max(1.0, options_.rate);
  if (options_.silence_for.count() > 0) {
    since = std::min(since, static_cast<double>(options_.silence_for.count()));
  }
  const auto due = static_cast<std::uint64_t>(std::max(0.0, since) * options_.silences);
  for (; draws_ < due; ++draws_) {
    const auto number = static_cast<std::uint32_t>(random_.Below(options_.runs));
    Run& run = runs_[number];
    if (run.doing != Doing::kBeating) continue;  // twice the same
    run.doing = Doing::kSilent;
    ++counts_.silenced;
    if (random_.Unit() >= options_.late_share) continue;
    const double timeouts = kLateFrom + kLateSpan * random_.Unit();
    const std::chrono::duration<double> after = options_.timeout * timeouts;
    late_.emplace(run.last_beat + std::chrono::duration_cast<Nanos>(after), number);
  }
}

Workload::Written Workload::Write(std::uint32_t number, std::uint64_t guard, Verdict verdict,
                                  Mono now) {
  Run& run = runs_[number];
  if ((guard != 0 && guard != run.version) || run.doing == Doing::kOver) {
    ++counts_.conflicts;
    return Written::kConflict;
  }
  run.version = ++version_;
  if (verdict.phase.empty()) {
    ++counts_.visits;
    return Written::kCommitted;
  }
  const Nanos lag = now - (run.last_beat + options_.timeout);
  if (lag < Nanos::zero()) ++counts_.false_reaps;
  lags_.push_back(lag);
  ++counts_.verdicts;
  run.doing = Doing::kOver;
  verdicts_.insert_or_assign(number, std::move(verdict));
  return Written::kCommitted;
}

std::vector<Nanos> Workload::Lags() const {
  std::vector<Nanos> sorted = lags_;
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::uint64_t Workload::Silent() const {
  const auto silent = [](const Run& run) { return run.doing == Doing::kSilent; };
  return static_cast<std::uint64_t>(std::count_if(runs_.begin(), runs_.end(), silent));
}

std::uint64_t Workload::Missed(Mono now) const {
  const auto missed = [&](const Run& run) {
    return run.doing != Doing::kOver && run.last_beat != Mono::min() &&
           now - run.last_beat > options_.timeout + kMissedAfter;
  };
  return static_cast<std::uint64_t>(std::count_if(runs_.begin(), runs_.end(), missed));
}

}  // namespace jobrun::bench
