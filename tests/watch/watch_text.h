// What an API server says about JobRuns, as text: watch lines, pages of lists, errors.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/model/uid.h"

namespace jobrun {

// One JobRun: its name, which makes its uid, and its version.
struct Item {
  std::string name;
  std::uint64_t version{1};

  [[nodiscard]] std::string Json() const {
    const Uid uid{1, std::hash<std::string>{}(name)};
    return R"({"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{"name":")" + name +
           R"(","namespace":"ns","uid":")" + FormatUid(uid) + R"(","resourceVersion":")" +
           std::to_string(version) +
           R"(","generation":1,"creationTimestamp":"2026-11-22T12:00:00Z"},)"
           R"("spec":{"lane":"default"}})";
  }
};

inline std::string Line(std::string_view type, std::string_view object) {
  return R"({"type":")" + std::string(type) + R"(","object":)" + std::string(object) + "}";
}
inline std::string Added(const Item& item) { return Line("ADDED", item.Json()); }
inline std::string Modified(const Item& item) { return Line("MODIFIED", item.Json()); }
inline std::string Deleted(const Item& item) { return Line("DELETED", item.Json()); }

inline std::string Bookmark(std::uint64_t version) {
  return Line("BOOKMARK", R"({"kind":"JobRun","metadata":{"resourceVersion":")" +
                              std::to_string(version) + R"("}})");
}
inline std::string InitialEventsEnd(std::uint64_t version) {
  return Line("BOOKMARK", R"({"kind":"JobRun","metadata":{"resourceVersion":")" +
                              std::to_string(version) +
                              R"(","annotations":{"k8s.io/initial-events-end":"true"}}})");
}

inline std::string StatusText(int code, std::string_view message) {
  return R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":")" +
         std::string(message) + R"(","code":)" + std::to_string(code) + "}";
}
inline std::string ErrorLine(int code, std::string_view message = "words") {
  return Line("ERROR", StatusText(code, message));
}

// A page of a list of version `version`; `next` is the continue token.
inline std::string PageText(std::uint64_t version, const std::vector<Item>& items,
                            const std::string& next = "") {
  std::string objects;
  for (const Item& item : items) objects += (objects.empty() ? "" : ",") + item.Json();
  return R"({"kind":"JobRunList","metadata":{"resourceVersion":")" + std::to_string(version) +
         R"(","continue":")" + next + R"("},"items":[)" + objects + "]}";
}

// The value of a query parameter of a target; empty without it.
inline std::string Parameter(const std::string& target, const std::string& name) {
  for (const char before : {'?', '&'}) {
    const std::string key = before + name + "=";
    const std::size_t at = target.find(key);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + key.size();
    return target.substr(begin, target.find('&', begin) - begin);
  }
  return {};
}

}  // namespace jobrun
