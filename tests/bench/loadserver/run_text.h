// JobRuns as a kube-apiserver would write them, made fast: the text of a run is a copy of a
// template in which fields of a fixed width are filled in.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/time.h"

namespace jobrun::bench {

inline constexpr std::uint32_t kRunsMax = 9'999'999;  // the digits in a name
inline constexpr std::size_t kNamespaces = 20;

// What a committed verdict made of a run.
struct Verdict {
  std::string phase{};
  std::string retry_state{};
  std::string fields{};  // all that it wrote to the status: `"phase":"Stuck","reason":…`
};

// How far its worker has come with a run.
enum class Stage : std::uint8_t { kPending, kRunning, kSucceeded, kFailed };
inline constexpr std::size_t kStages = 4;

// A run is claimed, and has started, so long after it was created.
inline constexpr std::chrono::seconds kClaimedAfter{1};

// What differs between runs, and changes while they run.
struct RunFields {
  std::uint32_t number{0};
  std::uint64_t version{0};  // ten digits
  ServerTime heartbeat{};    // the worker's last; of a finished run also when it ended
  Stage stage{Stage::kRunning};
  std::optional<ServerTime> created{};  // nothing: at the time that all are, and claimed just then
  const Verdict* verdict{nullptr};      // of a Running run only
};
[[nodiscard]] std::string_view PhaseOf(const RunFields& run);
// Empty without one.
[[nodiscard]] std::string_view RetryStateOf(const RunFields& run);

struct RunSpec {
  int interval_seconds{30};
  int timeout_seconds{150};
};

// "2026-11-22T01:02:03.000004Z", remembering the second: formatting a date costs more than all the
// rest.
class MicroTimeText {
 public:
  static constexpr std::size_t kBytes = 27;
  [[nodiscard]] std::string_view Of(ServerTime time);

 private:
  std::chrono::seconds second_{-1};
  std::string text_{};
};

class RunText {
 public:
  // Runs that say nothing else were created, claimed and started at `created`.
  RunText(const RunSpec& spec, ServerTime created);

  // Appends one watch event as a chunk of HTTP/1.1.
  enum class Event : std::uint8_t { kAdded, kModified, kDeleted };
  void AppendChunk(Event event, const RunFields& run, std::string& out);

  // The object alone.
  [[nodiscard]] std::string Object(const RunFields& run);

  [[nodiscard]] static std::string Name(std::uint32_t number);
  // The number in a name; kRunsMax + 1 for another's.
  [[nodiscard]] static std::uint32_t NumberOf(std::string_view name);

  // Bytes of the smallest and the largest object of a Running run.
  [[nodiscard]] std::array<std::size_t, 2> Sizes() const;

 private:
  // Where the fields are; npos for those that a run of its stage does not have.
  struct Template {
    std::string text;
    std::size_t name{0}, name_space{0}, uid{0}, version{0};
    std::size_t created{0}, stamped{0};                                          // by the scheduler
    std::size_t claimed{0}, started{0}, heartbeat{0}, updated{0}, completed{0};  // by the worker
  };
  static constexpr std::size_t kVariants = 8;
  static constexpr std::size_t kEvents = 3;
  using Templates = std::array<std::array<Template, kVariants>, kStages>;

  [[nodiscard]] static Template Locate(std::string text);
  void Append(const Templates& from, const RunFields& run, std::string& out);
  void PutCreation(const Template& from, ServerTime created, char* text);

  Templates objects_;
  std::array<Templates, kEvents> chunks_;
  MicroTimeText heartbeat_time_{};
  MicroTimeText created_time_{};
  MicroTimeText claimed_time_{};
};

// "5dc\r\n…\r\n"
[[nodiscard]] std::string Chunk(std::string_view body);

}  // namespace jobrun::bench
