// Reads one API object of a watch or list: a JobRun, a pod, a Lease, a bookmark or a Status. Only
// the .cc files of wire/ include it.
#pragma once

#include <cstdint>
#include <string_view>

#include "controller/wire/exchange.h"
#include "controller/wire/json_cursor.h"
#include "controller/wire/witness_reader.h"

namespace jobrun::json {

// Which kind of object it is may stand behind the object, so this reads the fields of all kinds and
// judges afterwards. One reader per object.
class ObjectReader {
 public:
  // `may_be_bookmark`: annotations are looked at as well.
  ObjectReader(Scratch& scratch, Watched watched, bool may_be_bookmark)
      : scratch_(scratch),
        watched_(watched),
        may_be_bookmark_(may_be_bookmark),
        witness_(scratch) {}

  // Reads the object's fields once, in any order; of duplicate keys the last one counts. False when
  // the JSON is broken.
  [[nodiscard]] bool Read(ondemand::value& value);
  [[nodiscard]] bool ReadFields(ondemand::object& object);

  // The event that the object makes. `type` is kAdded, kModified or kDeleted: kInvalid comes back
  // when the object is no sound one of its kind.
  [[nodiscard]] Event RunEvent(EventType type) const;
  [[nodiscard]] Event BookmarkEvent() const;
  [[nodiscard]] Event ErrorEvent() const;
  [[nodiscard]] Event InvalidEvent(std::string_view problem) const;

 private:
  [[nodiscard]] bool ReadField(std::string_view key, ondemand::value& value);
  [[nodiscard]] bool ReadMetadata(ondemand::value& value);
  [[nodiscard]] bool ReadMetadataField(std::string_view key, ondemand::value& value);
  [[nodiscard]] bool ReadManagedFields(ondemand::value& value);
  [[nodiscard]] bool ReadAnnotations(ondemand::value& value);
  [[nodiscard]] bool ReadSpec(ondemand::value& value);
  [[nodiscard]] bool ReadRetryOf(ondemand::value& value);
  [[nodiscard]] bool ReadExecutor(ondemand::value& value);
  [[nodiscard]] bool ReadStatus(ondemand::value& value);
  [[nodiscard]] bool ReadStatusField(std::string_view key, ondemand::value& value);
  [[nodiscard]] bool ReadRetry(ondemand::value& value);
  [[nodiscard]] bool ReadConditions(ondemand::value& value);
  [[nodiscard]] bool ReadCondition(ondemand::value& value);

  void TakeText(ondemand::value& value, std::string_view& into, std::string_view problem);
  void TakeUid(ondemand::value& value);
  void TakeResourceVersion(ondemand::value& value);
  void TakeGeneration(ondemand::value& value);
  void TakeCreated(ondemand::value& value);
  void TakeCancelled(ondemand::value& value);
  void TakeAttempt(ondemand::value& value);
  void TakeExitCode(ondemand::value& value);
  void TakePhase(ondemand::value& value);
  void Blame(std::string_view problem);
  [[nodiscard]] std::string_view FirstProblem() const;

  Scratch& scratch_;
  Watched watched_;
  bool may_be_bookmark_;
  WitnessReader witness_;
  ObservedRun run_{};
  bool has_created_{false};
  bool initial_events_end_{false};
  int code_{0};
  std::string_view message_{};
  std::string_view problem_{};  // the first one; static text
};

}  // namespace jobrun::json
