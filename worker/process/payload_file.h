// The run's payload, where the work can read it.
#pragma once

#include <string>
#include <string_view>

#include "controller/base/result.h"

namespace jobrun {

// A file of our own in $TMPDIR (or /tmp), readable by this user only, gone with the object.
class PayloadFile {
 public:
  static Result<PayloadFile> Make(std::string_view json);
  ~PayloadFile();
  PayloadFile(PayloadFile&& from) noexcept;
  PayloadFile& operator=(PayloadFile&&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit PayloadFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace jobrun
