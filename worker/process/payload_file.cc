#include "worker/process/payload_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace jobrun {
namespace {

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

}  // namespace

Result<PayloadFile> PayloadFile::Make(std::string_view json) {
  const char* const folder = std::getenv("TMPDIR");
  std::string path = std::string(folder == nullptr || *folder == '\0' ? "/tmp" : folder) +
                     "/jobrun-payload-XXXXXX";
  const int fd = mkostemp(path.data(), 0);
  bool written = fd >= 0;
  if (written) {
    written = WriteAll(fd, json);
    const int error = errno;
    close(fd);
    if (!written) unlink(path.c_str());
    errno = error;
  }
  if (!written) {
    return Error{
        Code::kInvalid, "write the payload to " + path,
        std::string(std::strerror(errno)) + "; set TMPDIR to a folder that can be written"};
  }
  return PayloadFile(std::move(path));
}

PayloadFile::PayloadFile(PayloadFile&& from) noexcept : path_(std::exchange(from.path_, {})) {}

PayloadFile::~PayloadFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

}  // namespace jobrun
