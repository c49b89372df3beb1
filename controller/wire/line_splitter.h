// Cuts a byte stream into lines, whatever the chunks it arrives in.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace jobrun {

// Longest watch line that is read: etcd refuses objects over 1.5 MiB, and JSON escapes and
// managedFields can a little more than double what was sent.
inline constexpr std::size_t kWatchLineBytesMax = std::size_t{4} << 20U;

// Owns one growing buffer, which the network reads into directly:
//   span = splitter.Prepare(n); read into it; splitter.Commit(read); while (auto line =
//   splitter.Next()) …
// Lines are views into the buffer, valid until the next Prepare, with at least kPadding readable
// bytes behind them (simdjson). Lines end with "\n" or "\r\n". A line longer than the maximum is
// skipped whole and reported once. What such a line made the buffer grow to is given back.
class LineSplitter {
 public:
  static constexpr std::size_t kPadding = 64;

  explicit LineSplitter(std::size_t line_bytes_max = kWatchLineBytesMax);

  // Room for `bytes` more. Moves what is left of the last line to the front.
  [[nodiscard]] char* Prepare(std::size_t bytes);
  void Commit(std::size_t bytes);

  enum class Found { kLine, kTooLong, kNeedMore };
  // The next whole line without its end; empty lines are passed over.
  [[nodiscard]] Found Next(std::string_view& line);

  // Bytes held: what a test bounds.
  [[nodiscard]] std::size_t Capacity() const { return buffer_.capacity(); }

 private:
  std::vector<char> buffer_;
  std::size_t begin_{0};    // start of the unfinished line
  std::size_t scanned_{0};  // no line end before here
  std::size_t end_{0};      // end of what was read
  std::size_t line_bytes_max_;
  bool skipping_{false};  // inside a line that is too long
};

}  // namespace jobrun
