#include "controller/wire/spec_reader.h"

#include <array>
#include <string>
#include <type_traits>
#include <vector>

namespace jobrun::json {
namespace {

constexpr std::string_view kHeartbeat = "heartbeat";
constexpr std::string_view kHeartbeatPrefix = "heartbeat.";

template <std::size_t N>
std::string OneOf(const std::array<std::string_view, N>& names) {
  std::string text = "expected one of";
  for (const std::string_view name : names) text.append(" ").append(name);
  return text;
}

class SpecReader {
 public:
  // False when the JSON is broken.
  bool Read(ondemand::object& spec) {
    return EachField(spec, [this](std::string_view key, ondemand::value& value) {
      return ReadField(key, value);
    });
  }

  Thresholds thresholds{};
  std::string problem{};  // the first one

 private:
  bool ReadField(std::string_view key, ondemand::value& value) {
    if (key == "reaping") {
      TakeEnum(value, kReapingNames, thresholds.reaping, key);
    } else if (key == kHeartbeat) {
      return ReadHeartbeat(value);
    } else if (key == "retry") {
      return ReadRetry(value);
    } else if (key == "completionGates") {
      return ReadGates(value);
    } else {
      TakeSeconds("", key, value);
    }
    return true;
  }

  bool ReadHeartbeat(ondemand::value& value) {
    if (IsNull(value)) return true;
    if (!IsObject(value)) {
      Blame(kHeartbeat, "expected an object");
      return true;
    }
    return EachField(value, [this](std::string_view key, ondemand::value& field) {
      if (key == "mode") {
        TakeEnum(field, kHeartbeatModeNames, thresholds.heartbeat_mode, "heartbeat.mode");
      } else if (key == "source") {
        TakeEnum(field, kHeartbeatSourceNames, thresholds.heartbeat_source, "heartbeat.source");
      } else {
        TakeSeconds(kHeartbeatPrefix, key, field);
      }
      return true;
    });
  }

  bool ReadRetry(ondemand::value& value) {
    RetryRules& rules = thresholds.retry;
    rules = {};
    if (IsNull(value)) return true;
    if (!IsObject(value)) {
      Blame("retry", "expected an object");
      return true;
    }
    return EachField(value, [&](std::string_view key, ondemand::value& field) {
      if (key == "on") return ReadList("retry.on", field, rules.on);
      if (key == "exitCodes") return ReadExitCodes(field);
      if (key == "maxAttempts") {
        TakeWhole("retry.maxAttempts", field, kMaxAttemptsMax, rules.max_attempts);
      } else if (key == "backoffSeconds") {
        TakeWhole("retry.backoffSeconds", field, kSecondsMax, rules.backoff);
      } else if (key == "maxBackoffSeconds") {
        TakeWhole("retry.maxBackoffSeconds", field, kSecondsMax, rules.max_backoff);
      }
      return true;
    });
  }

  bool ReadExitCodes(ondemand::value& value) {
    if (IsNull(value)) return true;
    if (!IsObject(value)) {
      Blame("retry.exitCodes", "expected an object");
      return true;
    }
    return EachField(value, [&](std::string_view key, ondemand::value& field) {
      RetryRules& rules = thresholds.retry;
      if (key == "in") return ReadList("retry.exitCodes.in", field, rules.exit_codes_in);
      if (key == "notIn") return ReadList("retry.exitCodes.notIn", field, rules.exit_codes_not_in);
      return true;
    });
  }

  bool TakeElement(ondemand::value& value, std::string& into) {
    const std::optional<std::string_view> text = Text(value, scratch_);
    into = text.value_or(std::string_view());
    return text && !text->empty();
  }
  static bool TakeElement(ondemand::value& value, std::int32_t& into) {
    const std::optional<std::int32_t> number = ParseInt32(Token(value));
    into = number.value_or(0);
    return number.has_value();
  }

  template <class T>
  bool ReadList(std::string_view path, ondemand::value& value,
                std::optional<std::vector<T>>& into) {
    into.reset();
    if (IsNull(value)) return true;
    if (!IsArray(value)) {
      Blame(path, "expected a list");
      return true;
    }
    into.emplace();
    return EachElement(value, [&](ondemand::value& element) {
      if (!TakeElement(element, into->emplace_back())) {
        Blame(path, std::is_same_v<T, std::string> ? "expected non-empty strings"
                                                   : "expected whole numbers of 32 bits");
      }
      return true;
    });
  }

  template <class T>
  void TakeWhole(std::string_view path, ondemand::value& value, std::int64_t max,
                 std::optional<T>& into) {
    into.reset();
    if (IsNull(value)) return;
    const std::optional<std::uint64_t> number = ParseWhole(Token(value));
    if (number && *number >= 1 && *number <= static_cast<std::uint64_t>(max)) {
      into = T(static_cast<std::int64_t>(*number));
    } else {
      Blame(path, "expected a whole number from 1 to " + std::to_string(max));
    }
  }

  bool ReadGates(ondemand::value& value) {
    constexpr std::string_view kExpected = "expected a list of objects with a conditionType";
    thresholds.completion_gates.reset();
    if (IsNull(value)) return true;
    if (!IsArray(value)) {
      Blame("completionGates", kExpected);
      return true;
    }
    std::vector<std::string>& gates = thresholds.completion_gates.emplace();
    return EachElement(value, [&](ondemand::value& element) {
      std::string_view type;
      const auto read = [&](std::string_view key, ondemand::value& field) {
        if (key == "conditionType") type = Text(field, scratch_).value_or(std::string_view());
        return true;
      };
      if (IsObject(element) && !EachField(element, read)) return false;
      if (type.empty()) Blame("completionGates[]", kExpected);
      gates.emplace_back(type);
      return true;
    });
  }

  template <class Enum, std::size_t N>
  void TakeEnum(ondemand::value& value, const std::array<std::string_view, N>& names,
                std::optional<Enum>& into, std::string_view path) {
    into.reset();
    if (IsNull(value)) return;
    const std::optional<std::string_view> text = Text(value, scratch_);
    if (text) into = ParseEnum<Enum>(names, *text);
    if (!into) Blame(path, OneOf(names));
  }

  void TakeSeconds(std::string_view prefix, std::string_view key, ondemand::value& value) {
    for (const SecondsField& field : kSecondsFields) {
      // Paths without the prefix hold no dot, so a key that holds one can't pass for a nested
      // field.
      if (field.path.size() != prefix.size() + key.size() || !field.path.starts_with(prefix) ||
          !field.path.ends_with(key) || key.find('.') != std::string_view::npos) {
        continue;
      }
      std::optional<Seconds>& into = thresholds.*field.member;
      into.reset();
      if (IsNull(value)) return;
      const std::optional<std::uint64_t> number = ParseWhole(Token(value));
      if (number && *number >= static_cast<std::uint64_t>(field.min) &&
          *number <= static_cast<std::uint64_t>(field.max)) {
        into = Seconds(static_cast<std::int64_t>(*number));
      } else {
        Blame(field.path, "expected a whole number from " + std::to_string(field.min) + " to " +
                              std::to_string(field.max));
      }
      return;
    }
  }

  void Blame(std::string_view path, std::string_view expectation) {
    if (problem.empty()) problem.append(path).append(": ").append(expectation);
  }

  Scratch scratch_{};
};

}  // namespace

Result<Thresholds> ReadThresholds(ondemand::parser& parser, std::string_view padded) {
  ondemand::document document;
  ondemand::object root;
  SpecReader reader;
  if (!OpenObject(parser, padded, document, root) || !reader.Read(root) || !AtEnd(document)) {
    return Error{Code::kInvalid, "decode the spec", "spec: expected a well-formed JSON object"};
  }
  if (!reader.problem.empty()) {
    return Error{Code::kInvalid, "decode the spec", "spec." + reader.problem};
  }
  return reader.thresholds;
}

}  // namespace jobrun::json
