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
constexpr std::array<std::string_view, 3> kEventNames = {"ADDED", "MODIFIED", "DELETED"};
constexpr std::array<std::string_view, kStages> kPhaseNames = {"Pending", "Running", "Succeeded",
                                                               "Failed"};
// A run that failed long ago: what becomes of its retry is settled.
constexpr std::string_view kSettled = "NotDue";

constexpr std::array<std::string_view, 4> kLanes = {"default", "etl", "embed-backfill", "agents"};

// What the worker has written: nothing yet, that it has claimed the run and beats, or also its end.
std::string StatusText(Stage stage, const std::string& micro) {
  if (stage == Stage::kPending) return R"({"phase":"Pending"})";
  const bool failed = stage == Stage::kFailed;
  std::string text = R"({"claimedAt":")" + micro + R"(","claimedBy":"worker-5f7c9d-x2v8k",)";
  if (stage != Stage::kRunning) {
    text.append(R"("completionTime":")").append(kHeartbeatHole) += R"(","exitCode":)";
    text += failed ? "1," : "0,";
  }
  text.append(R"("lastHeartbeatAt":")").append(kHeartbeatHole).append("\",\"phase\":\"");
  text.append(kPhaseNames[static_cast<std::size_t>(stage)]).append("\"");
  if (failed) {
    text.append(R"(,"reason":"ExitNonZero","retry":{"state":")").append(kSettled).append("\"}");
  }
  return text + R"(,"startTime":")" + micro + R"("})";
}

constexpr std::string_view kWorkersFields =
    R"(,{"apiVersion":"jobrun.dev/v1","fieldsType":"FieldsV1","fieldsV1":{"f:status":{".":{},"f:claimedAt":{},"f:claimedBy":{},"f:lastHeartbeatAt":{},"f:phase":{},"f:startTime":{}}},"manager":"worker","operation":"Update","subresource":"status","time":")";

// A run that some scheduler created; the keys are in the server's order. The larger the variant,
// the larger its payload.
std::string ObjectText(std::size_t variant, Stage stage, const RunSpec& spec, ServerTime created) {
  const std::string at = FormatTime(created);
  const std::string micro = FormatMicroTime(created);
  const auto hole = [](std::string_view text) { return std::string(text); };
  std::string args;
  for (std::size_t i = 0; i < 1 + variant * 3 / 2; ++i) {
    args +=
        (i == 0 ? "" : ",") + std::string("\"s3://warehouse/p=") + std::to_string(1000 + i) + "\"";
  }
  const std::string claimed =
      stage == Stage::kPending ? "" : hole(kWorkersFields) + hole(kUpdatedHole) + R"("})";
  return R"({"apiVersion":"jobrun.dev/v1","kind":"JobRun","metadata":{"creationTimestamp":")" + at +
         R"(","generation":1,"labels":{"app.kubernetes.io/managed-by":"scheduler"},"managedFields":[{"apiVersion":"jobrun.dev/v1","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/managed-by":{}}},"f:spec":{".":{},"f:deadlineSeconds":{},"f:heartbeat":{".":{},"f:intervalSeconds":{},"f:timeoutSeconds":{}},"f:lane":{},"f:payload":{".":{},"f:args":{},"f:table":{}}}},"manager":"scheduler","operation":"Update","time":")" +
         at + R"("})" + claimed + R"(],"name":")" + hole(kNameHole) + R"(","namespace":")" +
         hole(kNamespaceHole) + R"(","resourceVersion":")" + hole(kVersionHole) + R"(","uid":")" +
         hole(kUidHole) + R"("},"spec":{"deadlineSeconds":86400,"heartbeat":{"intervalSeconds":)" +
         std::to_string(spec.interval_seconds) + R"(,"timeoutSeconds":)" +
         std::to_string(spec.timeout_seconds) + R"(},"lane":")" +
         hole(kLanes[variant % kLanes.size()]) + R"(","payload":{"args":[)" + args +
         R"(],"table":"orders"}},"status":)" + StatusText(stage, micro) + "}";
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

std::string_view PhaseOf(const RunFields& run) {
  return run.verdict != nullptr ? run.verdict->phase
                                : kPhaseNames[static_cast<std::size_t>(run.stage)];
}

std::string_view RetryStateOf(const RunFields& run) {
  if (run.verdict != nullptr) return run.verdict->retry_state;
  return run.stage == Stage::kFailed ? kSettled : std::string_view();
}

RunText::RunText(const RunSpec& spec, ServerTime created) {
  for (std::size_t stage = 0; stage < kStages; ++stage) {
    for (std::size_t variant = 0; variant < kVariants; ++variant) {
      const std::string object = ObjectText(variant, static_cast<Stage>(stage), spec, created);
      objects_[stage][variant] = Locate(object);
      for (std::size_t event = 0; event < kEvents; ++event) {
        chunks_[event][stage][variant] = Locate(Chunk(WatchLine(kEventNames[event], object)));
      }
    }
  }
}

RunText::Template RunText::Locate(std::string text) {
  const auto if_there = [&text](std::string_view key, std::string_view hole) {
    const std::size_t found = text.find(std::string(key) + std::string(hole));
    return found == std::string::npos ? found : found + key.size();
  };
  const auto at = [&if_there](std::string_view key, std::string_view hole) {
    const std::size_t found = if_there(key, hole);
    assert(found != std::string::npos);
    return found;
  };
  Template made;
  made.name = at("\"name\":\"", kNameHole) + kNameHole.size() - kNameDigits;
  made.name_space = at("\"namespace\":\"", kNamespaceHole) + kNamespaceHole.size() - 2;
  made.uid = at("\"uid\":\"", kUidHole);
  made.version = at("\"resourceVersion\":\"", kVersionHole);
  made.created = at("\"creationTimestamp\":\"", {});
  made.stamped = at("\"time\":\"", {});
  made.claimed = if_there("\"claimedAt\":\"", {});
  made.started = if_there("\"startTime\":\"", {});
  made.heartbeat = if_there("\"lastHeartbeatAt\":\"", kHeartbeatHole);
  made.updated = if_there("\"time\":\"", kUpdatedHole);
  made.completed = if_there("\"completionTime\":\"", kHeartbeatHole);
  made.text = std::move(text);
  return made;
}

void RunText::Append(const Templates& templates, const RunFields& run, std::string& out) {
  constexpr std::size_t kNone = std::string::npos;
  const Template& from = templates[static_cast<std::size_t>(run.stage)][run.number % kVariants];
  const std::size_t start = out.size();
  out.append(from.text);
  char* const text = out.data() + start;
  PutDigits(text + from.name, kNameDigits, run.number);
  PutDigits(text + from.name_space, 2, run.number % kNamespaces);
  PutUid(text + from.uid, run.number);
  PutDigits(text + from.version, kVersionDigits, run.version);
  if (run.created) PutCreation(from, *run.created, text);
  if (from.heartbeat == kNone) return;
  const std::string_view time = heartbeat_time_.Of(run.heartbeat);
  std::memcpy(text + from.heartbeat, time.data(), MicroTimeText::kBytes);
  std::memcpy(text + from.updated, time.data(), kSecondBytes);
  if (from.completed == kNone) return;
  std::memcpy(text + from.completed, time.data(), MicroTimeText::kBytes);
}

void RunText::PutCreation(const Template& from, ServerTime created, char* text) {
  const std::string_view time = created_time_.Of(created);
  std::memcpy(text + from.created, time.data(), kSecondBytes);
  std::memcpy(text + from.stamped, time.data(), kSecondBytes);
  if (from.claimed == std::string::npos) return;
  const std::string_view claimed = claimed_time_.Of(created + kClaimedAfter);
  std::memcpy(text + from.claimed, claimed.data(), MicroTimeText::kBytes);
  std::memcpy(text + from.started, claimed.data(), MicroTimeText::kBytes);
}

void RunText::AppendChunk(Event event, const RunFields& run, std::string& out) {
  const auto of = static_cast<std::size_t>(event);
  if (run.verdict == nullptr) return Append(chunks_[of], run, out);
  out += Chunk(WatchLine(kEventNames[of], Object(run)));
}

std::string RunText::Object(const RunFields& run) {
  std::string text;
  Append(objects_, run, text);
  if (run.verdict != nullptr) {
    text.replace(text.find(kRunning), kRunning.size(), run.verdict->fields);
  }
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
  const auto& running = objects_[static_cast<std::size_t>(Stage::kRunning)];
  return {running.front().text.size(), running.back().text.size()};
}

}  // namespace jobrun::bench
