#include "worker/cli/manifest.h"

#include <sys/random.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <utility>

#include "controller/base/hex.h"
#include "controller/base/object_name.h"
#include "controller/base/wording.h"
#include "controller/wire/http_status.h"
#include "controller/wire/targets.h"

namespace jobrun {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kManifestBytesMax = std::size_t{3} << 20U;  // the API server's own limit
constexpr int kDepthMax = 100;
constexpr std::size_t kRandomDigits = 10;
constexpr int kCreateTries = 5;

// A file that can't be taken; caught in ReadManifest.
struct BadManifest {
  YAML::Mark mark;
  std::string what;
};

Json PlainScalar(const std::string& text) {
  if (text == "null" || text == "~" || text.empty()) return nullptr;
  if (text == "true" || text == "false") return text == "true";
  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole);
      read.ec == std::errc{} && read.ptr == end) {
    return whole;
  }
  double number = 0;
  const bool digits = text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  if (const auto read = std::from_chars(text.data(), end, number);
      digits && read.ec == std::errc{} && read.ptr == end) {
    return number;
  }
  return text;
}

Json ToJson(const YAML::Node& node, int depth = 0) {
  if (depth > kDepthMax) throw BadManifest{node.Mark(), "nested too deeply"};
  if (node.IsNull()) return nullptr;
  if (node.IsScalar()) return node.Tag() == "!" ? Json(node.Scalar()) : PlainScalar(node.Scalar());
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const YAML::Node& each : node) list.push_back(ToJson(each, depth + 1));
    return list;
  }
  Json object = Json::object();
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) throw BadManifest{entry.first.Mark(), "expected a name"};
    const std::string& key = entry.first.Scalar();
    if (object.contains(key)) {
      throw BadManifest{entry.first.Mark(), "the key \"" + ShownText(key) + "\" is there twice"};
    }
    object[key] = ToJson(entry.second, depth + 1);
  }
  return object;
}

Result<std::string> ReadText(const std::string& path) {
  const Error bad{Code::kInvalid, path, "can't be read: "};
  std::string text;
  if (path == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    std::ifstream file(path, std::ios::binary);
    if (!file) return Error{bad.code, path, bad.detail + std::strerror(errno)};
    text.assign(std::istreambuf_iterator<char>(file), {});
    if (file.bad()) return Error{bad.code, path, bad.detail + "is it a file?"};
  }
  if (text.size() > kManifestBytesMax) return Error{Code::kInvalid, path, "larger than 3 MiB"};
  return text;
}

std::string RandomDigits() {
  std::uint64_t bits = 0;
  if (getrandom(&bits, sizeof bits, 0) != sizeof bits) bits = 0;
  return HexOf(bits).substr(0, kRandomDigits);
}

std::string TextAt(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// What the command line and the file say must not differ.
std::optional<Error> Settle(Json& object, const char* key, const std::string& flag,
                            const std::string& title) {
  const std::string there = TextAt(object, key);
  if (flag.empty()) return std::nullopt;
  if (!there.empty() && there != flag) {
    return Error{Code::kInvalid, "the manifest",
                 "its " + title + " is \"" + ShownText(there) + "\", the command line says \"" +
                     ShownText(flag) + "\""};
  }
  object[key] = flag;
  return std::nullopt;
}

void Name(Json& metadata, const std::string& lane) {
  if (!TextAt(metadata, "name").empty()) return;
  std::string stem = TextAt(metadata, "generateName");
  if (stem.empty()) stem = (lane.empty() ? "run" : lane) + "-";
  metadata.erase("generateName");
  metadata["name"] = stem.substr(0, kObjectNameMax - kRandomDigits) + RandomDigits();
}

}  // namespace

Result<Json> ReadManifest(const std::string& path) {
  Result<std::string> text = ReadText(path);
  if (!text) return text.error();
  const auto fail = [&path](const YAML::Mark& mark, const std::string& what) {
    const std::string at = mark.is_null() ? ""
                                          : "line " + std::to_string(mark.line + 1) + ", column " +
                                                std::to_string(mark.column + 1) + ": ";
    return Error{Code::kInvalid, path, at + what};
  };
  try {
    const YAML::Node node = YAML::Load(*text);
    if (!node.IsMap()) return fail(node.Mark(), "expected one JobRun, in YAML or JSON");
    return ToJson(node);
  } catch (const YAML::Exception& bad) {
    return fail(bad.mark, "not YAML: " + bad.msg);
  } catch (const BadManifest& bad) {
    return fail(bad.mark, bad.what);
  }
}

Result<Json> MakeRun(const NewRunFlags& flags, const std::string& name_space) {
  Json run = {{"apiVersion", "jobrun.dev/v1"}, {"kind", "JobRun"}};
  if (!flags.file.empty()) {
    auto read = ReadManifest(flags.file);
    if (!read) return read.error();
    run = std::move(*read);
    if (TextAt(run, "kind") != "JobRun" || TextAt(run, "apiVersion") != "jobrun.dev/v1") {
      return Error{Code::kInvalid, flags.file,
                   "expected apiVersion jobrun.dev/v1 and kind JobRun, found \"" +
                       ShownText(TextAt(run, "apiVersion")) + "\" and \"" +
                       ShownText(TextAt(run, "kind")) + "\""};
    }
  }
  for (const char* part : {"metadata", "spec"}) {
    if (!run.contains(part) || run[part].is_null()) run[part] = Json::object();
    if (!run[part].is_object()) {
      return Error{Code::kInvalid, flags.file, std::string(part) + ": expected a mapping"};
    }
  }
  if (auto bad = Settle(run["spec"], "lane", flags.lane, "lane")) return *bad;
  if (auto bad = Settle(run["metadata"], "name", flags.name, "name")) return *bad;
  if (TextAt(run["metadata"], "namespace").empty()) run["metadata"]["namespace"] = name_space;
  Name(run["metadata"], TextAt(run["spec"], "lane"));
  return run;
}

std::string RandomName(std::string stem) {
  stem.resize(std::min(stem.size(), kObjectNameMax - kRandomDigits - 1));
  return stem + '-' + RandomDigits();
}

CreatedRun CreateRun(Tool& tool, ApiClient& api, const NewRunFlags& flags) {
  const auto run = MakeRun(flags, tool.Namespace());
  if (!run) return {.code = tool.FailUsage(run.error().ToString())};
  const Json& metadata = (*run)["metadata"];
  const RunName name{TextAt(metadata, "namespace"), TextAt(metadata, "name")};
  if (!IsDnsLabel(name.name_space) || !IsObjectName(name.name)) {
    return {.code = tool.FailUsage("expected names that Kubernetes takes, found " +
                                   ShownText(name.Text()))};
  }
  Response answer;
  for (int tried = 0; tried < kCreateTries; ++tried) {
    answer = api.Call({.klass = RequestClass::kData,
                       .method = Method::kPost,
                       .target = CreateTarget(name.name_space),
                       .content_type = "application/json",
                       .body = run->dump()});
    if (answer.status == kHttpCreated) return {.name = name, .body = answer.body};
    // An earlier try, whose answer was lost: nobody else knows these digits.
    const bool own_name = flags.name.empty() && flags.file.empty();
    if (answer.status == kHttpConflict && tried > 0 && own_name) return {.name = name};
    if (answer.status != 0 && answer.status < kHttpServerError) break;
  }
  return {.code = tool.Fail(FailureOf(answer, "create " + name.Text()))};
}

}  // namespace jobrun
