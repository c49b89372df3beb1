#include "tests/bench/loadserver/workload.h"

#include <algorithm>
#include <numeric>

namespace jobrun::bench {
namespace {

constexpr std::uint64_t kFirstVersion = 1'000'000'000;  // ten digits, as all that follow
constexpr double kLateFrom = 0.6;
constexpr double kLateSpan = 0.5;
// The last heartbeats before a storm: a second after all are in step, and faster than any
// controller writes, so that verdicts queue.
constexpr double kStormAfterSeconds = 1;
constexpr double kStormBeatsPerSecond = 40'000;

std::uint32_t StrideFor(std::uint32_t runs) {
  auto stride = static_cast<std::uint32_t>(runs * 0.618);
  while (stride > 1 && std::gcd(stride, runs) != 1) --stride;
  return std::max(1U, stride);
}

}  // namespace

Workload::Workload(const WorkloadOptions& options)
    : options_(options),
      random_(options.seed),
      runs_(options.runs + options.storm + options.finished),
      version_(kFirstVersion),
      stride_(StrideFor(options.runs)),
      churn_from_(Runs()) {
  for (Run& run : runs_) run.version = ++version_;
  for (std::uint32_t i = options.runs + options.storm; i < Runs(); ++i) {
    runs_[i].doing = i % 4 == 3 ? Doing::kFailed : Doing::kSucceeded;
  }
}

RunFields Workload::Fields(std::uint32_t number) const {
  const Run& run = runs_[number];
  RunFields fields{.number = number, .version = run.version, .heartbeat = run.heartbeat};
  if (run.doing == Doing::kPending) fields.stage = Stage::kPending;
  if (run.doing == Doing::kSucceeded) fields.stage = Stage::kSucceeded;
  if (run.doing == Doing::kFailed) fields.stage = Stage::kFailed;
  if (number >= churn_from_) fields.created = run.created;
  const auto found = verdicts_.find(number);
  if (found != verdicts_.end()) fields.verdict = &found->second;
  return fields;
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

void Workload::Advance(Time now, const Tell& tell) {
  if (!begun_) return;
  FallSilent(now.mono);
  BeatInTurn(now, tell);
  BeatBeforeStorm(now, tell);
  BeatLate(now, tell);
  ComeAndGo(now, tell);
}

void Workload::Beat(std::uint32_t number, Time now) {
  Run& run = runs_[number];
  run.version = ++version_;
  run.heartbeat = now.wall;
  run.last_beat = now.mono;
  ++counts_.heartbeats;
}

// A silent run's turn passes unused, so that the others keep their interval.
void Workload::BeatInTurn(Time now, const Tell& tell) {
  const auto due = static_cast<std::uint64_t>(SinceBegin(now.mono) * options_.rate);
  for (; turns_ < due; ++turns_) {
    turn_ = (turn_ + stride_) % options_.runs;
    if (runs_[turn_].doing != Doing::kBeating) continue;
    Beat(turn_, now);
    tell(turn_, RunText::Event::kModified);
  }
}

void Workload::BeatBeforeStorm(Time now, const Tell& tell) {
  const double since = std::max(0.0, SinceBegin(now.mono) - kStormAfterSeconds);
  const double due = std::min<double>(options_.storm, since * kStormBeatsPerSecond);
  for (; storm_beats_ < static_cast<std::uint32_t>(due); ++storm_beats_) {
    const std::uint32_t number = options_.runs + storm_beats_;
    Beat(number, now);
    SilenceOne(number);
    tell(number, RunText::Event::kModified);
  }
}

void Workload::BeatLate(Time now, const Tell& tell) {
  while (!late_.empty() && late_.top().first <= now.mono) {
    const std::uint32_t number = late_.top().second;
    late_.pop();
    Run& run = runs_[number];
    if (run.doing ==
        Doing::kOver) {  // the API server refuses it: the worker learns that it is fenced
      ++counts_.late_refused;
      continue;
    }
    if (run.doing == Doing::kSilent) ++counts_.late_accepted;
    run.doing = Doing::kBeating;
    Beat(number, now);
    tell(number, RunText::Event::kModified);
    // Those of the storm have no turn.
    if (number >= options_.runs) late_.emplace(now.mono + options_.interval, number);
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
    if (runs_[number].doing == Doing::kBeating) SilenceOne(number);  // else twice the same
  }
}

void Workload::SilenceOne(std::uint32_t number) {
  Run& run = runs_[number];
  run.doing = Doing::kSilent;
  ++counts_.silenced;
  if (random_.Unit() >= options_.late_share) return;
  const double timeouts = kLateFrom + kLateSpan * random_.Unit();
  const std::chrono::duration<double> after = options_.timeout * timeouts;
  late_.emplace(run.last_beat + std::chrono::duration_cast<Nanos>(after), number);
}

Workload::Written Workload::Write(std::uint32_t number, std::uint64_t guard, Verdict verdict,
                                  Mono now) {
  Run& run = runs_[number];
  const bool running = run.doing == Doing::kBeating || run.doing == Doing::kSilent;
  if ((guard != 0 && guard != run.version) || !running) {
    ++counts_.conflicts;
    if (run.doing == Doing::kOver) ++counts_.repeats;
    return Written::kConflict;
  }
  run.version = ++version_;
  if (verdict.phase.empty()) {
    ++counts_.visits;
    return Written::kCommitted;
  }
  const Nanos lag = now - (run.last_beat + options_.timeout);
  if (lag < Nanos::zero()) ++counts_.false_reaps;
  if (lag > options_.lag_max) ++counts_.late_reaps;
  if (lags_.empty()) first_reap_ = now;
  last_reap_ = now;
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

bool Workload::IsOverdue(const Run& run, Mono now) const {
  const bool running = run.doing == Doing::kBeating || run.doing == Doing::kSilent;
  return running && run.last_beat != Mono::min() &&
         now - run.last_beat > options_.timeout + options_.lag_max;
}

std::uint64_t Workload::Missed(Mono now) const {
  const auto missed = [&](const Run& run) { return IsOverdue(run, now); };
  return counts_.unreaped +
         static_cast<std::uint64_t>(std::count_if(runs_.begin(), runs_.end(), missed));
}

}  // namespace jobrun::bench
