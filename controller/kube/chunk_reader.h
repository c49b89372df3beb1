// HTTP/1.1's chunked framing, taken off in place: every byte of a watch passes here, and lands in
// the line splitter's buffer where it is read, with no buffer in between.
#pragma once

#include <cstddef>
#include <cstdint>

namespace jobrun {

// Not thread-safe; one per body.
class ChunkReader {
 public:
  // Moves the body bytes among `data` to its front and returns how many there are. Framing may be
  // cut anywhere between two calls. After Bad() or Done() it returns 0.
  [[nodiscard]] std::size_t Strip(char* data, std::size_t size);

  // The last chunk and its trailers were seen: the body is whole.
  [[nodiscard]] bool Done() const { return state_ == State::kDone; }
  // What came is no chunked framing, or a chunk or a line of framing is absurdly long.
  [[nodiscard]] bool Bad() const { return state_ == State::kBad; }

 private:
  enum class State : std::uint8_t {
    kSize,       // hex digits of a chunk's size
    kExtension,  // the rest of its line
    kSizeEnd,    // '\n'
    kBody,
    kBodyEnd,      // '\r'
    kBodyEndLf,    // '\n'
    kTrailer,      // at the start of a line of trailers
    kTrailerText,  // within one
    kTrailerLf,    // '\n' of one
    kLastLf,       // '\n' of the empty line that ends it all
    kDone,
    kBad,
  };

  void Framing(char byte);
  void SizeByte(char byte);

  State state_{State::kSize};
  bool any_digit_{false};
  std::uint64_t left_{0};         // of this chunk's body
  std::size_t framing_bytes_{0};  // since the last body byte
};

}  // namespace jobrun
