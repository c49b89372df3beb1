// Memory for strings that had to be unescaped.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace jobrun {

// An arena of chunks: what was added stays where it is until Reset. Not thread-safe.
class Scratch {
 public:
  static constexpr std::size_t kChunkBytes = std::size_t{16} << 10U;
  // Kept from one batch to the next; a rare giant string is given back.
  static constexpr std::size_t kKeptBytesMax = std::size_t{256} << 10U;

  // A copy of `text` that lives until Reset.
  [[nodiscard]] std::string_view Add(std::string_view text);
  void Reset();

  // Bytes held: what a test bounds.
  [[nodiscard]] std::size_t Capacity() const { return capacity_; }

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    std::size_t size{0};
  };
  std::vector<Chunk> chunks_;
  std::size_t current_{0};  // chunk that is being filled
  std::size_t used_{0};     // of the current chunk
  std::size_t capacity_{0};
};

}  // namespace jobrun
