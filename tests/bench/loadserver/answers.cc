#include "tests/bench/loadserver/answers.h"

#include "controller/base/rfc3339.h"

namespace jobrun::bench {

std::string StringField(std::string_view json, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":\"";
  const std::size_t at = json.find(key);
  if (at == std::string_view::npos) return {};
  const std::size_t start = at + key.size();
  return std::string(json.substr(start, json.find('"', start) - start));
}

std::string ObjectField(std::string_view json, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":{";
  const std::size_t at = json.find(key);
  if (at == std::string_view::npos) return "{}";
  const std::size_t start = at + key.size() - 1;
  bool quoted = false;
  int depth = 0;
  for (std::size_t i = start; i < json.size(); ++i) {
    if (json[i] == '"') quoted = !quoted;
    if (quoted) continue;
    if (json[i] == '{') ++depth;
    if (json[i] == '}' && --depth == 0) return std::string(json.substr(start, i + 1 - start));
  }
  return "{}";
}

std::string Head(int status, std::string_view framing, ServerTime wall) {
  return "HTTP/1.1 " + std::to_string(status) + (status < 300 ? " OK" : " Refused") +
         "\r\nCache-Control: no-cache, private\r\nContent-Type: application/json\r\nDate: " +
         FormatHttpDate(wall) + "\r\n" + std::string(framing) + "\r\n\r\n";
}

void Answer(Connection& to, int status, std::string_view body, ServerTime wall) {
  std::string text = Head(status, "Content-Length: " + std::to_string(body.size()), wall);
  to.Write(text.append(body));
  (void)to.Flush();
}

void Refuse(Connection& to, int status, std::string_view reason, ServerTime wall) {
  Answer(
      to, status,
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the load server says )" +
          std::string(reason) + R"(","reason":")" + std::string(reason) + R"(","code":)" +
          std::to_string(status) + "}",
      wall);
}

}  // namespace jobrun::bench
