// Reads what tells of a run from the outside: the status of the pod it runs in, the Lease that its
// worker renews. Only the .cc files of wire/ include it.
#pragma once

#include <string_view>

#include "controller/model/observed_pod.h"
#include "controller/wire/json_cursor.h"

namespace jobrun::json {

// One reader per object. The functions return false when the JSON is broken; a value of another
// type than the API has is named in `problem` (static text).
class WitnessReader {
 public:
  explicit WitnessReader(Scratch& scratch) : scratch_(scratch) {}

  [[nodiscard]] bool ReadPodStatus(ondemand::value& value);
  [[nodiscard]] bool ReadLeaseSpec(ondemand::value& value);

  ObservedPod pod{};
  std::string_view renew_time{};
  std::string_view problem{};

 private:
  // A condition DisruptionTarget that is True, by its reason.
  [[nodiscard]] bool ReadConditions(ondemand::value& value, PodCause& disrupted);
  // The first container that ran out of memory, else the first that ended with an error.
  [[nodiscard]] bool ReadContainers(ondemand::value& value, bool& out_of_memory);
  void TakeText(ondemand::value& value, std::string_view& into, std::string_view problem_text);

  Scratch& scratch_;
};

}  // namespace jobrun::json
