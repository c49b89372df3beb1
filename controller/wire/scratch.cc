#include "controller/wire/scratch.h"

#include <algorithm>
#include <cstring>

namespace jobrun {

std::string_view Scratch::Add(std::string_view text) {
  if (text.empty()) return {};
  while (current_ < chunks_.size() && chunks_[current_].size - used_ < text.size()) {
    ++current_;
    used_ = 0;
  }
  if (current_ == chunks_.size()) {
    const std::size_t size = std::max(kChunkBytes, text.size());
    chunks_.push_back({std::unique_ptr<char[]>(new char[size]), size});
    capacity_ += size;
  }
  char* const place = chunks_[current_].bytes.get() + used_;
  std::memcpy(place, text.data(), text.size());
  used_ += text.size();
  return {place, text.size()};
}

void Scratch::Reset() {
  current_ = 0;
  used_ = 0;
  if (capacity_ > kKeptBytesMax) {
    chunks_.clear();
    capacity_ = 0;
  }
}

}  // namespace jobrun
