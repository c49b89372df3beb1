// Which keys the configuration file has, of what type and range, and where their values go.
#pragma once

#include "controller/app/yaml_section.h"
#include "controller/engine/settings.h"

namespace jobrun {

// The whole file but `lanes`, whose keys are names. Values go to `settings`, which must outlive the
// keys.
[[nodiscard]] Key FileKeys(Settings& settings);

// One lane: the thresholds of a run's spec, `max` and `overridable`. Values go to `lane`, as above.
[[nodiscard]] Key LaneKeys(Lane& lane);

}  // namespace jobrun
