// Writes JSON texts field by field. Only the .cc files of wire/ include it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "controller/wire/json_string.h"

namespace jobrun::json {

// Appends fields to one JSON object after the other; what goes in is known to be complete.
class Writer {
 public:
  // So many bytes are written without moving the text.
  explicit Writer(std::size_t bytes_expected = 256) { text_.reserve(bytes_expected); }

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

// The operations of a JSON patch, one after the other. Values are JSON, but for those of the …Text
// functions, which are quoted here.
class Patch {
 public:
  void Add(std::string_view path, std::string_view json) { Operate("add", path, json); }
  void Test(std::string_view path, std::string_view json) { Operate("test", path, json); }
  void AddText(std::string_view path, std::string_view value) { Add(path, Quoted(value)); }
  void TestText(std::string_view path, std::string_view value) { Test(path, Quoted(value)); }
  std::string Take() { return "[" + std::move(operations_) + "]"; }

 private:
  static std::string Quoted(std::string_view value) {
    std::string quoted;
    AppendJsonString(quoted, value);
    return quoted;
  }
  void Operate(std::string_view operation, std::string_view path, std::string_view json) {
    Writer writer;
    writer.Open().Text("op", operation).Text("path", path).Key("value").Raw(json).Close();
    if (!operations_.empty()) operations_ += ',';
    operations_ += writer.Take();
  }

  std::string operations_{};
};

}  // namespace jobrun::json
