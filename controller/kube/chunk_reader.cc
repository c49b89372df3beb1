#include "controller/kube/chunk_reader.h"

#include <algorithm>
#include <cstring>

#include "controller/base/hex.h"

namespace jobrun {
namespace {

constexpr std::uint64_t kChunkBytesMax = std::uint64_t{1} << 40U;
constexpr std::size_t kFramingBytesMax = std::size_t{16} * 1024;  // size line, extensions, trailers

}  // namespace

std::size_t ChunkReader::Strip(char* data, std::size_t size) {
  std::size_t kept = 0;
  std::size_t at = 0;
  while (at < size && state_ != State::kBad && state_ != State::kDone) {
    if (state_ != State::kBody) {
      Framing(data[at++]);
      continue;
    }
    const std::size_t run = static_cast<std::size_t>(std::min<std::uint64_t>(left_, size - at));
    if (kept != at) std::memmove(data + kept, data + at, run);
    kept += run;
    at += run;
    left_ -= run;
    framing_bytes_ = 0;
    if (left_ == 0) state_ = State::kBodyEnd;
  }
  return kept;
}

void ChunkReader::SizeByte(char byte) {
  const int digit = HexDigit(byte);
  if (digit >= 0) {
    any_digit_ = true;
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    if (left_ > kChunkBytesMax) state_ = State::kBad;
    return;
  }
  if (!any_digit_) {
    state_ = State::kBad;
  } else if (byte == '\r') {
    state_ = State::kSizeEnd;
  } else {
    state_ = byte == ';' || byte == ' ' || byte == '\t' ? State::kExtension : State::kBad;
  }
}

void ChunkReader::Framing(char byte) {
  if (++framing_bytes_ > kFramingBytesMax) {
    state_ = State::kBad;
    return;
  }
  const auto expect = [&](char wanted, State next) {
    state_ = byte == wanted ? next : State::kBad;
  };
  switch (state_) {
    case State::kSize:
      return SizeByte(byte);
    case State::kExtension:
      if (byte == '\r') state_ = State::kSizeEnd;
      return;
    case State::kSizeEnd:
      any_digit_ = false;
      return expect('\n', left_ > 0 ? State::kBody : State::kTrailer);
    case State::kBodyEnd:
      return expect('\r', State::kBodyEndLf);
    case State::kBodyEndLf:
      return expect('\n', State::kSize);
    case State::kTrailer:
      state_ = byte == '\r' ? State::kLastLf : State::kTrailerText;
      return;
    case State::kTrailerText:
      if (byte == '\r') state_ = State::kTrailerLf;
      return;
    case State::kTrailerLf:
      return expect('\n', State::kTrailer);
    case State::kLastLf:
      return expect('\n', State::kDone);
    case State::kBody:
    case State::kDone:
    case State::kBad:
      return;
  }
}

}  // namespace jobrun
