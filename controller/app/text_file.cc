#include "controller/app/text_file.h"

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
  // One byte more than allowed tells a file that is too large, also where its size is not known.
  std::string text(bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.gcount() == 0 && errno != 0)) return unreadable();
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace jobrun
