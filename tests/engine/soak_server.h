// What the soak's API server answers the engine: reads, lists, patches guarded by the version and
// held to what the CRD demands of them, successors, deletions with preconditions. What no engine
// may ever do fails the test where it would commit.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/wire/event_decoder.h"
#include "tests/engine/soak_api.h"
#include "tests/watch/watch_text.h"

namespace jobrun {

class SoakServer {
 public:
  struct Answer {
    int status{200};
    std::string body{};
  };
  // What the engine has recorded for good of a run's retry.
  struct Settled {
    Uid uid;
    std::string lane;
    std::string state;
  };

  explicit SoakServer(SoakApi& api) : api_(api) {}

  [[nodiscard]] Answer Handle(const Request& request) {
    if (request.method == Method::kPost) return Post(request);
    if (!NamesARun(request)) {
      const std::string selector = Parameter(request.target, "fieldSelector");
      return selector.empty() ? Page(request.target) : ActiveOfKey(KeyIn(request.target));
    }
    SoakRun* const run = api_.Find(NameIn(request.target));
    if (run == nullptr) return {404, StatusText(404, "not found")};
    if (request.method == Method::kPatch) return Patch(*run, request.body);
    if (request.method == Method::kDelete) return Delete(*run, request.body);
    return {200, run->object.Json()};
  }

  // Nothing can be created while it lasts.
  void SetQuota(bool exceeded) { quota_exceeded_ = exceeded; }
  [[nodiscard]] bool QuotaExceeded() const { return quota_exceeded_; }
  [[nodiscard]] const std::vector<Settled>& AllSettled() const { return settled_; }

  static bool NamesARun(const Request& request) {
    return request.target.find("/jobruns/") != std::string::npos;
  }
  static std::string NameIn(const std::string& target) {
    const std::size_t begin = target.find("/jobruns/") + 9;
    return target.substr(begin, target.find('/', begin) - begin);
  }
  // The concurrencyKey whose active runs are asked for.
  static std::string KeyIn(const std::string& target) {
    const std::string selector = Decoded(Parameter(target, "fieldSelector"));
    std::string key;
    std::size_t at = std::string_view("spec.concurrencyKey=").size();
    for (; at < selector.size() && selector[at] != ','; ++at) {
      if (selector[at] == '\\') ++at;
      key += selector[at];
    }
    EXPECT_EQ(selector.substr(at),
              ",status.phase!=Succeeded,status.phase!=Failed,status.phase!=Stuck");
    EXPECT_EQ(Parameter(target, "resourceVersion"), "") << "is not consistent";
    return key;
  }
  // As the body of a POST says.
  static SoakRun SuccessorIn(const std::string& body) {
    const std::size_t at = body.find("\"spec\":") + 7;
    const std::string spec = body.substr(at, body.size() - at - 1);
    SoakRun run;
    run.object.name = TextField(body, "name");
    run.object.lane = TextField(spec, "lane");
    const Result<Thresholds> thresholds = EventDecoder().DecodeThresholds(spec);
    EXPECT_TRUE(thresholds) << spec;
    if (thresholds) run.spec = *thresholds;
    run.key = TextField(spec, "concurrencyKey");
    run.attempt = static_cast<std::uint32_t>(std::stoul("0" + Between(spec, "\"attempt\":", ",")));
    run.retry_of = TextField(spec, "name");
    run.parent = ParseUid(TextField(spec, "uid")).value_or(Uid{});
    EXPECT_EQ("{\"lane\":\"" + run.object.lane + "\"" + SpecText(run) + "}", spec);
    return run;
  }

  // What the JSON patch of a verdict says to this run, as a merge patch of its version; nothing
  // when one of its tests fails.
  static std::optional<std::string> Merged(const SoakRun& run, const std::string& body) {
    constexpr std::string_view kOperation = R"({"op":")";
    std::string added;
    std::size_t tests = 0;
    for (std::size_t at = body.find(kOperation); at != std::string::npos;) {
      const std::size_t next = body.find(kOperation, at + 1);
      const std::size_t end = next == std::string::npos ? body.size() - 1 : next - 1;
      const std::string one = body.substr(at, end - at);
      const std::string path = TextField(one, "path");
      const std::size_t value = one.find("\"value\":") + 8;
      const std::string text = one.substr(value, one.size() - value - 1);
      if (TextField(one, "op") == "test") {
        ++tests;
        if (!Holds(run, path, text)) return std::nullopt;
      } else {
        added += ",\"" + path.substr(path.rfind('/') + 1) + "\":" + text;
      }
      at = next;
    }
    EXPECT_EQ(tests, 7U) << body;
    return R"({"metadata":{"resourceVersion":")" + std::to_string(run.object.version) +
           R"("},"status":{)" + added.substr(1) + "}}";
  }

 private:
  static std::string Decoded(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] != '%') {
        out += text[at];
      } else {
        out += static_cast<char>(std::stoi(text.substr(at + 1, 2), nullptr, 16));
        at += 2;
      }
    }
    return out;
  }

  // ---- patches ----

  Answer Patch(SoakRun& run, const std::string& body) {
    if (body.starts_with('[')) return PatchByTests(run, body);
    const std::string version = TextField(body, "resourceVersion");
    EXPECT_NE(version, "") << body;
    EXPECT_NE(version, "0") << body;
    if (version != std::to_string(run.object.version))
      return {409, StatusText(409, "the object has been modified")};
    EXPECT_FALSE(run.object.deleting) << body;
    if (const std::string start = TextField(body, "startTime"); !start.empty()) {
      run.object.start_time = start;
    } else if (!TextField(body, "phase").empty()) {
      TakeVerdict(run, body);
    } else {
      TakeRetry(run, body);
    }
    api_.Put("MODIFIED", run);
    return {200, run.object.Json()};
  }

  Answer PatchByTests(SoakRun& run, const std::string& body) {
    const std::optional<std::string> merged = Merged(run, body);
    if (!merged) return {422, StatusText(422, "a test failed")};
    const std::string reason = TextField(*merged, "reason");
    EXPECT_TRUE(reason == "DeadlineExceeded" || reason == "Cancelled" ||
                reason == "BackstopExceeded")
        << body;
    return Patch(run, *merged);
  }

  static bool Holds(const SoakRun& run, const std::string& path, const std::string& value) {
    const auto quoted = [](const std::string& text) { return "\"" + text + "\""; };
    if (path == "/metadata/uid") return value == quoted(FormatUid(run.object.uid));
    if (path == "/metadata/generation") return value == std::to_string(run.object.generation);
    if (path == "/metadata/deletionTimestamp") return value == "null" && !run.object.deleting;
    if (path == "/status/phase") return value == quoted(run.object.phase);
    if (path == "/status/claimedAt") return value == quoted(run.object.claimed_at);
    if (path == "/status/exitCode") return value == "null" && !run.object.exit_code;
    if (path != "/status/conditions") ADD_FAILURE() << path;
    const std::string json = run.object.Json();
    const std::size_t at = json.find("\"conditions\":");
    if (at == std::string::npos) return value == "null";
    return json.substr(at + 13, value.size()) == value;
  }

  static SoakRetry RetryIn(const std::string& body) {
    const std::string text = Between(body, "\"retry\":{", "}");
    return {TextField(text, "state"), TextField(text, "successorName"),
            TextField(text, "successorUID"), TextField(text, "notBeforeTime")};
  }

  void TakeVerdict(SoakRun& run, const std::string& body) {
    EXPECT_TRUE(run.IsActive()) << run.object.name << " has ended as " << run.object.phase;
    run.object.phase = TextField(body, "phase");
    run.object.reason = TextField(body, "reason");
    run.object.verdict_id = TextField(body, "verdictID");
    run.object.completion_time = TextField(body, "completionTime");
    run.ended = api_.Now();
    EXPECT_EQ(RetryIn(body).state.empty(), !run.MayBeRetried()) << body;
    if (run.MayBeRetried()) TakeDecision(run, RetryIn(body));
    TakeConditions(run, body);
  }

  void TakeRetry(SoakRun& run, const std::string& body) {
    EXPECT_TRUE(run.MayBeRetried()) << body << "\nfor " << run.object.Json();
    const SoakRetry retry = RetryIn(body);
    if (body.find("\"conditions\":[") != std::string::npos) TakeConditions(run, body);
    if (run.retry.state.empty()) return TakeDecision(run, retry);
    EXPECT_EQ(run.retry.state, "Pending") << body;
    EXPECT_EQ(retry.name + retry.not_before, "") << "is final";
    if (retry.state == "Pending") return;
    if (retry.state == "Created") {
      CheckCreated(run, retry.uid);
    } else if (retry.state == "Skipped") {
      CheckSkipped(run);
    } else {
      EXPECT_EQ(retry.state, "Blocked");
      CheckBlocked(run);
    }
    run.retry.state = retry.state;
    run.retry.uid = retry.uid;
    Settle(run);
  }

  void TakeDecision(SoakRun& run, const SoakRetry& retry) {
    const bool pending = retry.state == "Pending";
    EXPECT_TRUE(pending || retry.state == "Exhausted" || retry.state == "NotDue") << retry.state;
    EXPECT_EQ(retry.name.empty(), !pending);
    EXPECT_EQ(retry.not_before.empty(), !pending);
    EXPECT_EQ(retry.uid, "");
    EXPECT_LE(retry.name.size(), 63U);
    run.retry = retry;
    if (!pending) Settle(run);
  }

  void Settle(const SoakRun& run) {
    settled_.push_back({run.object.uid, run.Label(), run.retry.state});
  }

  // Replaces the list. Whatever others wrote is in it again.
  static void TakeConditions(SoakRun& run, const std::string& body) {
    const std::size_t begin = body.find("\"conditions\":[") + 14;
    std::string text = body.substr(begin, body.rfind(']') - begin);
    const auto before = std::exchange(run.conditions, {});
    while (!text.empty()) {
      const std::size_t size =
          text.find("},{") == std::string::npos ? text.size() : text.find("},{") + 1;
      run.conditions[TextField(text, "type")] = text.substr(0, size);
      text.erase(0, size + 1);
    }
    for (const auto& [type, was] : before) {
      const bool of_others = type == "Uploaded" || type == "Checked";
      EXPECT_TRUE(!of_others || run.conditions[type] == was) << body;
    }
  }

  // ---- what becomes of a retry ----

  void CheckCreated(const SoakRun& parent, const std::string& uid) const {
    const Uid successor_uid = ParseUid(uid).value_or(Uid{});
    const auto born = api_.Born().find(successor_uid.low);
    ASSERT_NE(born, api_.Born().end()) << uid;
    const SoakRun& successor = born->second.run;
    EXPECT_EQ(successor.parent, parent.object.uid) << "a foreign object was adopted";
    EXPECT_EQ(successor.object.name, parent.retry.name);
    // Of two that nobody has claimed the later one does not stay.
    const SoakRun* const now = api_.FindUid(successor_uid);
    if (now == nullptr || now->key.empty() || !now->Is(Phase::kPending) || now->object.deleting)
      return;
    for (const auto& [name, other] : api_.All()) {
      if (other.key != now->key || &other == now || !other.IsActive() || other.object.deleting)
        continue;
      EXPECT_GE(other.object.created, now->object.created)
          << name << " was active before " << now->object.name << " under " << now->key;
    }
  }

  // Another run was active since the parent has ended.
  void CheckSkipped(const SoakRun& parent) const {
    EXPECT_FALSE(parent.key.empty());
    EXPECT_TRUE(std::ranges::any_of(api_.Born(), [&](const auto& born) {
      const SoakRun& run = born.second.run;
      return run.key == parent.key && run.object.uid != parent.object.uid &&
             run.parent != parent.object.uid && born.second.until >= parent.ended;
    })) << parent.object.Json();
  }

  void CheckBlocked(const SoakRun& parent) const {
    EXPECT_TRUE(std::ranges::any_of(api_.Born(), [&](const auto& born) {
      const SoakRun& run = born.second.run;
      return run.object.name == parent.retry.name && run.parent != parent.object.uid;
    })) << parent.object.Json();
  }

  // ---- creation and deletion ----

  Answer Post(const Request& request) {
    EXPECT_FALSE(NamesARun(request)) << request.target;
    if (quota_exceeded_) return {403, StatusText(403, "exceeded quota: runs")};
    const SoakRun run = SuccessorIn(request.body);
    const std::string name = run.object.name;
    if (api_.Find(name) != nullptr) return {409, StatusText(409, "already exists")};
    EXPECT_TRUE(std::ranges::none_of(
        api_.All(), [&](const auto& other) { return other.second.parent == run.parent; }))
        << "a second successor: " << request.body;
    api_.Create(name, run);
    return {201, api_.Find(name)->object.Json()};
  }

  Answer Delete(SoakRun& run, const std::string& body) {
    const std::string uid = TextField(body, "uid");
    const std::string version = TextField(body, "resourceVersion");
    EXPECT_NE(uid, "") << body;
    EXPECT_NE(version, "") << body;
    if (uid != FormatUid(run.object.uid) || version != std::to_string(run.object.version))
      return {409, StatusText(409, "the precondition does not hold")};
    const bool nobodys = run.Is(Phase::kPending) && !run.parent.IsNone();
    EXPECT_TRUE(nobodys || run.Is(Phase::kSucceeded) || run.retry.IsSettled()) << run.object.Json();
    api_.Delete(run.object.name, false);
    return {200, "{}"};
  }

  // ---- lists ----

  struct Pages {
    std::uint64_t version;
    std::vector<std::string> left;
  };

  static Answer List(std::uint64_t version, const std::string& next, const std::string& items) {
    return {200, R"({"kind":"JobRunList","metadata":{"resourceVersion":")" +
                     std::to_string(version) + R"(","continue":")" + next + R"("},"items":[)" +
                     items + "]}"};
  }

  Answer ActiveOfKey(const std::string& key) const {
    std::string items;
    for (const auto& [name, run] : api_.All()) {
      if (run.key == key && run.IsActive()) items += (items.empty() ? "" : ",") + run.object.Json();
    }
    return List(api_.Version(), "", items);
  }

  Answer Page(const std::string& target) {
    const std::string token = Parameter(target, "continue");
    Pages pages{api_.Version(), {}};
    if (token.empty()) {
      for (const auto& [name, run] : api_.All()) pages.left.push_back(run.object.Json());
    } else {
      const auto found = pages_.find(token);
      if (found == pages_.end() || !api_.Remembers(found->second.version))
        return {410, StatusText(410, "expired")};
      pages = found->second;
    }
    const std::size_t count = std::min<std::size_t>(pages.left.size(), 4);
    std::string items;
    for (std::size_t i = 0; i < count; ++i) items += (i == 0 ? "" : ",") + pages.left[i];
    pages.left.erase(pages.left.begin(), pages.left.begin() + static_cast<std::ptrdiff_t>(count));
    const std::string next = pages.left.empty() ? "" : "t" + std::to_string(++tokens_);
    const std::uint64_t version = pages.version;
    if (!next.empty()) pages_.emplace(next, std::move(pages));
    return List(version, next, items);
  }

  SoakApi& api_;
  bool quota_exceeded_{false};
  std::vector<Settled> settled_;
  std::map<std::string, Pages> pages_;  // by continue token
  std::uint64_t tokens_{0};
};

}  // namespace jobrun
