#include "controller/wire/line_splitter.h"

#include <cassert>
#include <cstring>

namespace jobrun {
namespace {

// More than this is given back once it is empty.
constexpr std::size_t kKeptBytesMax = std::size_t{256} << 10U;

}  // namespace

LineSplitter::LineSplitter(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

char* LineSplitter::Prepare(std::size_t bytes) {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    scanned_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  const std::size_t needed = end_ + bytes + kPadding;
  if (end_ == 0 && buffer_.capacity() > kKeptBytesMax && needed <= kKeptBytesMax) {
    std::vector<char>().swap(buffer_);
  }
  if (buffer_.size() < needed) buffer_.resize(needed);
  return buffer_.data() + end_;
}

void LineSplitter::Commit(std::size_t bytes) {
  assert(end_ + bytes + kPadding <= buffer_.size());
  end_ += bytes;
}

LineSplitter::Found LineSplitter::Next(std::string_view& line) {
  line = {};
  while (scanned_ < end_) {
    const void* const found = std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_);
    if (found == nullptr) break;
    const auto line_end =
        static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
    std::string_view whole(buffer_.data() + begin_, line_end - begin_);
    begin_ = scanned_ = line_end + 1;
    if (skipping_) {
      skipping_ = false;
      continue;
    }
    if (whole.ends_with('\r')) whole.remove_suffix(1);
    if (whole.size() > line_bytes_max_) return Found::kTooLong;
    if (whole.empty()) continue;
    line = whole;
    return Found::kLine;
  }
  scanned_ = end_;
  // One byte more than the maximum may still turn out to be a carriage return.
  const bool too_long = !skipping_ && end_ - begin_ > line_bytes_max_ + 1;
  if (too_long) skipping_ = true;
  if (skipping_) begin_ = end_;
  return too_long ? Found::kTooLong : Found::kNeedMore;
}

}  // namespace jobrun
