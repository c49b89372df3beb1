#include "controller/app/text_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace jobrun {

Result<std::string> ReadTextFile(const std::string& path, std::size_t bytes_max) {
  const auto unreadable = [&path] {
    return Error{Code::kInvalid, path, std::string("can't be read: ") + std::strerror(errno)};
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return unreadable();
  // In pieces, so that a small file costs little. One byte more than allowed tells a file that is
  // too large, also where its size is not known.
  std::string text;
  std::array<char, 4096> piece{};
  while (text.size() <= bytes_max && file) {
    file.read(piece.data(), piece.size());
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad() || (text.empty() && errno != 0)) return unreadable();
  text.resize(std::min(text.size(), bytes_max + 1));
  return text;
}

}  // namespace jobrun
