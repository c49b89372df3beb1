// JobRuns as a kube-apiserver would write them, made fast: the text of a running run is a copy of a
// template in which fields of a fixed width are filled in.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/time.h"

namespace jobrun::bench {

inline constexpr std::uint32_t kRunsMax = 9'999'999;  // the digits in a name
inline constexpr std::size_t kNamespaces = 20;

// What of a run changes while it runs.
struct RunFields {
  std::uint32_t number{0};
  std::uint64_t version{0};  // ten digits
  ServerTime heartbeat{};
};

// What a committed verdict made of a run, as JSON text.
struct Verdict {
  std::string phase{};
  std::string reason{};
  std::string verdict_id{};
};

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
  // Every run was created, claimed and started at `created`.
  RunText(const RunSpec& spec, ServerTime created);

  // Appends one watch event as a chunk of HTTP/1.1.
  enum class Event : std::uint8_t { kAdded, kModified };
  void AppendChunk(Event event, const RunFields& run, std::string& out);
  void AppendVerdictChunk(const RunFields& run, const Verdict& verdict, std::string& out);

  // The object alone; `verdict` may be null.
  [[nodiscard]] std::string Object(const RunFields& run, const Verdict* verdict);

  [[nodiscard]] static std::string Name(std::uint32_t number);
  // The number in a name; kRunsMax + 1 for another's.
  [[nodiscard]] static std::uint32_t NumberOf(std::string_view name);

  // Bytes of the smallest and the largest object.
  [[nodiscard]] std::array<std::size_t, 2> Sizes() const;

 private:
  struct Template {
    std::string text;
    std::size_t name{0}, name_space{0}, uid{0}, version{0}, heartbeat{0}, updated{0};
  };
  static constexpr std::size_t kVariants = 8;

  [[nodiscard]] static Template Locate(std::string text);
  void Append(const Template& from, const RunFields& run, std::string& out);

  std::array<Template, kVariants> objects_;
  std::array<std::array<Template, kVariants>, 2> chunks_;  // by Event
  MicroTimeText time_{};
};

// "5dc\r\n…\r\n"
[[nodiscard]] std::string Chunk(std::string_view body);

}  // namespace jobrun::bench
