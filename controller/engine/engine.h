// The engine: watches all runs through its effects, decides which are dead, writes the verdicts and
// counts what committed. It holds no thread, socket, clock or lock. One thread owns it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "controller/engine/io.h"
#include "controller/engine/replica.h"
#include "controller/wire/targets.h"

namespace jobrun {

struct EngineOptions {
  std::vector<WatchScope> scopes{WatchScope{}};  // one watch each; they must not overlap
  std::string process_id;  // unique to this process; first part of every verdictID
  std::uint64_t seed{1};   // for jitter
  Replica replica{};
  Settings settings{};
};

class Engine {
 public:
  Engine(EngineOptions options, const Clocks& start);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Takes one input and appends what is to be done to `effects`. `clocks` never run backwards. The
  // first call may be Woke. Nothing is allocated for a heartbeat in steady state.
  void Step(const Clocks& clocks, const Input& input, Effects& effects);

  [[nodiscard]] Health CheckHealth() const;

  // The lanes as labels, by LaneIndex; grows at reloads, never shrinks.
  [[nodiscard]] std::vector<std::string> LaneNames() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace jobrun
