#include <utility>

#include "controller/app/driver.h"
#include "controller/base/real_clock.h"

namespace jobrun {

DriverParts PartsOf(Engine& engine, EventLoop& loop) {
  return {.step = [&engine](const Clocks& clocks, const Input& input,
                            Effects& effects) { engine.Step(clocks, input, effects); },
          .health = [&engine] { return engine.CheckHealth(); },
          .lanes = [&engine] { return engine.LaneNames(); },
          .post = [&loop](std::function<void()> function) { loop.Post(std::move(function)); },
          .set_wake =
              [&loop](Mono at, std::function<void()> function) {
                loop.SetWake(at, std::move(function));
              },
          .stop_loop = [&loop] { loop.Stop(); },
          .clocks = [] { return ReadClocks(); },
          .wall = [] { return ReadWallClock(); }};
}

}  // namespace jobrun
