// What a decision costs.
#include <benchmark/benchmark.h>

#include "controller/base/rfc3339.h"
#include "controller/verdict/decide.h"

namespace jobrun {
namespace {

const ServerTime kStart = *ParseRfc3339("2026-11-22T12:00:00Z");

// A run that beats, with a deadline far ahead.
Subject Beating() {
  Subject run;
  run.phase = Phase::kRunning;
  run.has_beaten = true;
  run.policy.deadline = Seconds(86400);
  run.policy.claim_ttl = Seconds(7200);
  run.since = Silence(std::chrono::seconds(1000));
  run.started_at = kStart;
  return run;
}

Now After(Seconds silence) {
  Now now;
  now.silence = Silence(std::chrono::seconds(1000)) + silence;
  now.server = {.earliest = kStart + silence, .latest = kStart + silence + Seconds(1)};
  return now;
}

void DecideNotDue(benchmark::State& state) {
  Subject run = Beating();
  const Now now = After(Seconds(10));
  for (auto _ : state) {
    benchmark::DoNotOptimize(run);
    benchmark::DoNotOptimize(Decide(run, now));
  }
}
BENCHMARK(DecideNotDue);

void DecideSilent(benchmark::State& state) {
  Subject run = Beating();
  const Now now = After(Seconds(151));
  for (auto _ : state) {
    benchmark::DoNotOptimize(run);
    benchmark::DoNotOptimize(Decide(run, now));
  }
}
BENCHMARK(DecideSilent);

void DecidePending(benchmark::State& state) {
  Subject run = Beating();
  run.phase = Phase::kPending;
  run.policy.pending_deadline = Seconds(60);
  const Now now = After(Seconds(10));
  for (auto _ : state) {
    benchmark::DoNotOptimize(run);
    benchmark::DoNotOptimize(Decide(run, now));
  }
}
BENCHMARK(DecidePending);

}  // namespace
}  // namespace jobrun
