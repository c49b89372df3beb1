#include "tests/bench/loadserver/run_text.h"

#include <cassert>
#include <charconv>
#include <cstring>

#include "controller/base/random.h"
#include "controller/base/rfc3339.h"

namespace jobrun::bench {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::size_t kNameDigits = 7;
constexpr std::size_t kVersionDigits = 10;
constexpr std::size_t kSecondBytes = 19;  // of a time, up to the fraction

// Placeholders, as wide as what takes their place.
constexpr std::string_view kNameHole = "run-@@@@@@@";
constexpr std::string_view kNamespaceHole = "team-@@";
constexpr std::string_view kUidHole = "@@@@@@@@-@@@@-@@@@-@@@@-@@@@@@@@@@@@";
constexpr std::string_view kVersionHole = "@@@@@@@@@@";
constexpr std::string_view kHeartbeatHole = "@@@@-@@-@@T@@:@@:@@.@@@@@@Z";
constexpr std::string_view kUpdatedHole = "@@@@-@@-@@T@@:@@:@@Z";
constexpr std::string_view kRunning = "\"phase\":\"Running\"";

constexpr std::array<std::string_view, 4> kLanes = {"default", "etl", "embed-backfill", "agents"};

// A run that some scheduler created and a worker has claimed and beats for; the keys are in the
// server's order. The larger the variant, the larger its payload.
std::string ObjectText(std::size_t variant, const RunSpec& spec, ServerTime created) {
  const std::string at = FormatTime(created);
  const std::string micro = FormatMicroTime(created);
  const auto hole = [](std::string_view text) { return std::string(text); };
  std::string args;
  for (std::size_t i = 0; i < 1 + variant * 3 / 2; ++i) {
    args +=
        (i == 0 ? "" : ",") + std::string("\"s3://warehouse/p=") + std::to_string(1000 + i) + "\"";
  }
  return R"({"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{"creationTimestamp":")" + at +
         R"(","generation":1,"labels":{"app.kubernetes.io/managed-by":"scheduler"},"managedFields":[{"apiVersion":"jobrun.dev/v1","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/managed-by":{}}},"f:spec":{".":{},"f:deadlineSeconds":{},"f:heartbeat":{".":{},"f:intervalSeconds":{},"f:timeoutSeconds":{}},"f:lane":{},"f:payload":{".":{},"f:args":{},"f:table":{}}}},"manager":"scheduler","operation":"Update","time":")" +
         at +
         R"("},{"apiVersion":"jobrun.dev/v1","fieldsType":"FieldsV1","fieldsV1":{"f:status":{".":{},"f:claimedAt":{},"f:claimedBy":{},"f:lastHeartbeatAt":{},"f:phase":{},"f:startTime":{}}},"manager":"worker","operation":"Update","subresource":"status","time":")" +
         hole(kUpdatedHole) + R"("}],"name":")" + hole(kNameHole) + R"(","namespace":")" +
         hole(kNamespaceHole) + R"(","resourceVersion":")" + hole(kVersionHole) + R"(","uid":")" +
         hole(kUidHole) + R"("},"spec":{"deadlineSeconds":86400,"heartbeat":{"intervalSeconds":)" +
         std::to_string(spec.interval_seconds) + R"(,"timeoutSeconds":)" +
         std::to_string(spec.timeout_seconds) + R"(},"lane":")" +
         hole(kLanes[variant % kLanes.size()]) + R"(","payload":{"args":[)" + args +
         R"(],"table":"orders"}},"status":{"claimedAt":")" + micro +
         R"(","claimedBy":"worker-5f7c9d-x2v8k","lastHeartbeatAt":")" + hole(kHeartbeatHole) +
         R"(",)" + hole(kRunning) + R"(,"startTime":")" + micro + R"("}})";
}

std::string WatchLine(std::string_view type, std::string_view object) {
  return "{\"type\":\"" + std::string(type) + "\",\"object\":" + std::string(object) + "}\n";
}

void PutDigits(char* into, std::size_t digits, std::uint64_t number) {
  for (std::size_t i = digits; i-- > 0; number /= 10)
    into[i] = static_cast<char>('0' + number % 10);
}

// Version 4 of a UUID by its form, the same for a number every time.
void PutUid(char* into, std::uint32_t number) {
  Random random(0x6a6f6272756eU + number);
  std::uint64_t bits = random.Next();
  for (std::size_t i = 0; i < kUidHole.size(); ++i) {
    if (kUidHole[i] == '-') continue;
    if (i == 19) bits = random.Next();
    into[i] = kHex[bits & 0xFU];
    bits >>= 4U;
  }
  into[14] = '4';
  into[19] = 'a';
}

}  // namespace

std::string_view MicroTimeText::Of(ServerTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
  if (second != second_) {
    second_ = second;
    text_ = FormatMicroTime(time);
    assert(text_.size() == kBytes);
  }
  PutDigits(text_.data() + kSecondBytes + 1, 6,
            static_cast<std::uint64_t>((time.time_since_epoch() - second).count()));
  return text_;
}

std::string Chunk(std::string_view body) {
  std::array<char, 16> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), body.size(), 16).ptr;
  return std::string(size.data(), end) + "\r\n" + std::string(body) + "\r\n";
}

RunText::RunText(const RunSpec& spec, ServerTime created) {
  for (std::size_t variant = 0; variant < kVariants; ++variant) {
    const std::string object = ObjectText(variant, spec, created);
    objects_[variant] = Locate(object);
    chunks_[0][variant] = Locate(Chunk(WatchLine("ADDED", object)));
    chunks_[1][variant] = Locate(Chunk(WatchLine("MODIFIED", object)));
  }
}

RunText::Template RunText::Locate(std::string text) {
  const auto at = [&text](std::string_view key, std::string_view hole) {
    const std::size_t found = text.find(std::string(key) + std::string(hole));
    assert(found != std::string::npos);
    return found + key.size();
  };
  Template made;
  made.name = at("\"name\":\"", kNameHole) + kNameHole.size() - kNameDigits;
  made.name_space = at("\"namespace\":\"", kNamespaceHole) + kNamespaceHole.size() - 2;
  made.uid = at("\"uid\":\"", kUidHole);
  made.version = at("\"resourceVersion\":\"", kVersionHole);
  made.heartbeat = at("\"lastHeartbeatAt\":\"", kHeartbeatHole);
  made.updated = at("\"time\":\"", kUpdatedHole);
  made.text = std::move(text);
  return made;
}

void RunText::Append(const Template& from, const RunFields& run, std::string& out) {
  const std::size_t start = out.size();
  out.append(from.text);
  char* const text = out.data() + start;
  PutDigits(text + from.name, kNameDigits, run.number);
  PutDigits(text + from.name_space, 2, run.number % kNamespaces);
  PutUid(text + from.uid, run.number);
  PutDigits(text + from.version, kVersionDigits, run.version);
  const std::string_view time = time_.Of(run.heartbeat);
  std::memcpy(text + from.heartbeat, time.data(), MicroTimeText::kBytes);
  std::memcpy(text + from.updated, time.data(), kSecondBytes);
}

void RunText::AppendChunk(Event event, const RunFields& run, std::string& out) {
  Append(chunks_[static_cast<std::size_t>(event)][run.number % kVariants], run, out);
}

void RunText::AppendVerdictChunk(const RunFields& run, const Verdict& verdict, std::string& out) {
  out += Chunk(WatchLine("MODIFIED", Object(run, &verdict)));
}

std::string RunText::Object(const RunFields& run, const Verdict* verdict) {
  std::string text;
  Append(objects_[run.number % kVariants], run, text);
  if (verdict == nullptr) return text;
  const std::size_t phase = text.find(kRunning);
  text.replace(phase, kRunning.size(),
               "\"phase\":\"" + verdict->phase + "\",\"reason\":\"" + verdict->reason + "\"");
  const std::size_t end = text.size() - 2;
  text.insert(end, ",\"verdictID\":\"" + verdict->verdict_id + "\"");
  return text;
}

std::string RunText::Name(std::uint32_t number) {
  std::string name(kNameHole);
  PutDigits(name.data() + name.size() - kNameDigits, kNameDigits, number);
  return name;
}

std::uint32_t RunText::NumberOf(std::string_view name) {
  std::uint32_t number = 0;
  const std::string_view digits =
      name.substr(std::min(name.size(), kNameHole.size() - kNameDigits));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole && digits.size() == kNameDigits ? number : kRunsMax + 1;
}

std::array<std::size_t, 2> RunText::Sizes() const {
  return {objects_.front().text.size(), objects_.back().text.size()};
}

}  // namespace jobrun::bench
