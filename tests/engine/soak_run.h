// A run as the engine's soak knows it: the object that the server holds and, in plain fields, what
// is written in it and since when.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/time.h"
#include "controller/model/thresholds.h"
#include "tests/engine/run_text.h"

namespace jobrun {

// The value of the first string field of that name in a JSON text; empty without one.
inline std::string TextField(std::string_view json, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":\"";
  const std::size_t at = json.find(key);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = at + key.size();
  return std::string(json.substr(begin, json.find('"', begin) - begin));
}

// What stands from the first `begin` to the next `end` of a text; empty without them.
inline std::string Between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t at = text.find(begin);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + begin.size());
  return std::string(rest.substr(0, rest.find(end)));
}

// status.retry; the state is empty without one.
struct SoakRetry {
  std::string state{};
  std::string name{};
  std::string uid{};
  std::string not_before{};

  [[nodiscard]] bool IsSettled() const { return !state.empty() && state != "Pending"; }
};

struct SoakRun {
  RunText object{""};
  Thresholds spec{};
  std::string key{};         // spec.concurrencyKey
  std::uint32_t attempt{0};  // 0: not said
  std::string retry_of{};    // the parent's name
  Uid parent{};
  std::map<std::string, std::string> conditions{};  // texts by type
  SoakRetry retry{};

  Mono created{};
  Mono claimed{};
  Mono heartbeat{};        // the last one was accepted
  bool has_beaten{false};  // with a heartbeat that is not just the claim's
  std::optional<Mono> cancelled{};
  Mono exited{};      // the exit code was recorded
  Mono progressed{};  // the last time
  Mono ended{};
  bool worker_lives{false};
  Nanos worker_skew{};  // its clock against the server's

  [[nodiscard]] bool Is(Phase phase) const {
    return PhaseName(phase) == (object.phase.empty() ? "Pending" : object.phase);
  }
  [[nodiscard]] bool IsActive() const { return Is(Phase::kPending) || Is(Phase::kRunning); }
  [[nodiscard]] bool MayBeRetried() const { return Is(Phase::kFailed) || Is(Phase::kStuck); }
  [[nodiscard]] std::uint32_t Attempt() const { return attempt == 0 ? 1 : attempt; }
  [[nodiscard]] bool IsTrue(const std::string& type) const {
    const auto found = conditions.find(type);
    return found != conditions.end() && TextField(found->second, "status") == "True";
  }
  [[nodiscard]] std::string Label() const {
    return object.lane == "elsewhere" ? "other" : object.lane;
  }
};

namespace soak_text {

inline std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }
inline std::string Quoted(std::int32_t number) { return std::to_string(number); }

inline void Add(std::string& out, std::string_view name, const std::string& value) {
  out += ",\"" + std::string(name) + "\":" + value;
}
template <class T>
void AddList(std::string& out, std::string_view name, const std::optional<std::vector<T>>& list) {
  if (!list) return;
  std::string elements;
  for (const T& element : *list) elements += (elements.empty() ? "" : ",") + Quoted(element);
  Add(out, name, "[" + elements + "]");
}
// The object of these fields, each with its comma; nothing without a field.
inline void AddObject(std::string& out, std::string_view name, const std::string& fields) {
  if (!fields.empty()) Add(out, name, "{" + fields.substr(1) + "}");
}

inline std::string RetryRules(const RetryRules& retry) {
  std::string codes;
  AddList(codes, "in", retry.exit_codes_in);
  AddList(codes, "notIn", retry.exit_codes_not_in);
  std::string out;
  if (retry.max_attempts) Add(out, "maxAttempts", std::to_string(*retry.max_attempts));
  if (retry.backoff) Add(out, "backoffSeconds", std::to_string(retry.backoff->count()));
  if (retry.max_backoff) Add(out, "maxBackoffSeconds", std::to_string(retry.max_backoff->count()));
  AddList(out, "on", retry.on);
  AddObject(out, "exitCodes", codes);
  return out;
}

inline std::string Gates(const std::vector<std::string>& gates) {
  std::string out;
  for (const std::string& gate : gates)
    out += (out.empty() ? "" : ",") + std::string("{\"conditionType\":") + Quoted(gate) + "}";
  return "[" + out + "]";
}

inline std::string Thresholds(const jobrun::Thresholds& spec) {
  std::string top;
  std::string heartbeat;
  for (const SecondsField& field : kSecondsFields) {
    if (!(spec.*field.member)) continue;
    const bool nested = field.path.starts_with("heartbeat.");
    Add(nested ? heartbeat : top, nested ? field.path.substr(10) : field.path,
        std::to_string((spec.*field.member)->count()));
  }
  if (spec.reaping) Add(top, "reaping", Quoted(kReapingNames.at(std::size_t(*spec.reaping))));
  if (spec.heartbeat_mode)
    Add(heartbeat, "mode", Quoted(kHeartbeatModeNames.at(std::size_t(*spec.heartbeat_mode))));
  AddObject(top, "heartbeat", heartbeat);
  if (spec.completion_gates) Add(top, "completionGates", Gates(*spec.completion_gates));
  AddObject(top, "retry", RetryRules(spec.retry));
  return top;
}

}  // namespace soak_text

// The whole spec but its lane, which stands first.
inline std::string SpecText(const SoakRun& run) {
  std::string out = soak_text::Thresholds(run.spec);
  if (!run.key.empty()) soak_text::Add(out, "concurrencyKey", soak_text::Quoted(run.key));
  if (run.cancelled) soak_text::Add(out, "cancelled", "true");
  if (run.attempt != 0) soak_text::Add(out, "attempt", std::to_string(run.attempt));
  if (run.parent.IsNone()) return out;
  return out + R"(,"retryOf":{"name":")" + run.retry_of + R"(","uid":")" + FormatUid(run.parent) +
         "\"}";
}

inline std::string RetryText(const SoakRetry& retry) {
  std::string out;
  const auto add = [&out](std::string_view name, const std::string& value) {
    if (!value.empty()) soak_text::Add(out, name, soak_text::Quoted(value));
  };
  add("state", retry.state);
  add("successorName", retry.name);
  add("successorUID", retry.uid);
  add("notBeforeTime", retry.not_before);
  return out.empty() ? out : out.substr(1);
}

inline std::string ConditionsText(const SoakRun& run) {
  std::string out;
  for (const auto& [type, text] : run.conditions) out += (out.empty() ? "" : ",") + text;
  return out;
}

}  // namespace jobrun
