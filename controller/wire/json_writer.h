// Writes JSON texts field by field. Only the .cc files of wire/ include it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "controller/wire/json_string.h"

namespace jobrun::json {

// Appends fields to one JSON object after the other; what goes in is known to be complete.
class Writer {
 public:
  Writer& Open() {
    text_ += '{';
    return *this;
  }
  Writer& Close() {
    text_ += '}';
    return *this;
  }
  Writer& Key(std::string_view name) {
    if (text_.back() != '{' && text_.back() != '[') text_ += ',';
    AppendJsonString(text_, name);
    text_ += ':';
    return *this;
  }
  Writer& Raw(std::string_view json) {
    text_ += json;
    return *this;
  }
  Writer& Text(std::string_view name, std::string_view value) {
    Key(name);
    AppendJsonString(text_, value);
    return *this;
  }
  Writer& Number(std::string_view name, std::uint64_t value) {
    return Key(name).Raw(std::to_string(value));
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace jobrun::json
