// What happened, a line each. All of it goes into a hash, so that two runs of one seed can be told
// apart by a number; it is written out only when somebody reads it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>

#include "controller/base/time.h"

namespace jobrun::simulation {

class Trace {
 public:
  void Print(bool print) { print_ = print; }
  [[nodiscard]] bool Prints() const { return print_; }
  [[nodiscard]] std::uint64_t Hash() const { return hash_; }

  // who: "replica 1", "worker w3", …; the rest is put together with spaces.
  template <class... Parts>
  void Line(Nanos at, std::string_view who, const Parts&... parts) {
    Mix(static_cast<std::uint64_t>(at.count()));
    MixText(who);
    (Take(parts), ...);
    Comment(at, who, parts...);
  }
  // For people only: not part of the hash.
  template <class... Parts>
  void Comment(Nanos at, std::string_view who, const Parts&... parts) const {
    if (!print_) return;
    std::string line;
    (Append(line, parts), ...);
    std::printf("%10.3f  %-12.*s %s\n", static_cast<double>(at.count()) / 1e9,
                static_cast<int>(who.size()), who.data(), line.c_str());
  }

 private:
  void Mix(std::uint64_t word) { hash_ = (hash_ ^ word) * 0x100000001b3U + (hash_ >> 29U); }
  void MixText(std::string_view text) {
    for (const char c : text) Mix(static_cast<unsigned char>(c));
  }
  template <class Part>
  void Take(const Part& part) {
    if constexpr (std::is_arithmetic_v<Part>) {
      Mix(static_cast<std::uint64_t>(part));
    } else {
      MixText(part);
    }
  }
  template <class Part>
  static void Append(std::string& line, const Part& part) {
    if (!line.empty()) line += ' ';
    if constexpr (std::is_arithmetic_v<Part>) {
      line += std::to_string(part);
    } else {
      line += part;
    }
  }

  bool print_{false};
  std::uint64_t hash_{0xcbf29ce484222325U};
};

}  // namespace jobrun::simulation
