// A host for the reflector: keeps a copy of what it is told, as the engine does, and records every
// call. It fails the test on calls that make no sense at that time.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/watch/reflector.h"
#include "tests/watch/watch_text.h"

namespace jobrun {

class FakeHost final : public ReflectorHost {
 public:
  // ---- what a test looks at ----

  // One line per call: "listing", "open initial", "open 7", "list", "list TOKEN", "close",
  // "initial added a@5", "modified a@6", "replaced", "list complete", "stream expired", "problem
  // …".
  [[nodiscard]] const std::vector<std::string>& Calls() const { return calls_; }
  void ForgetCalls() { calls_.clear(); }
  // Name to version.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& Copy() const { return copy_; }
  // What is under way: at most one of each.
  [[nodiscard]] const std::optional<OpenStream>& Stream() const { return stream_; }
  [[nodiscard]] const std::optional<Request>& Asked() const { return request_; }
  [[nodiscard]] const std::string& Problem() const { return problem_; }

  // The network says that it is over.
  std::optional<OpenStream> TakeStream() { return std::exchange(stream_, std::nullopt); }
  std::optional<Request> TakeRequest() { return std::exchange(request_, std::nullopt); }

  std::optional<Nanos> list_again_after{};  // what it answers

  // ---- what the reflector calls ----

  std::string ListTarget(const ListOptions& options) const override {
    return jobrun::ListTarget({}, options);
  }
  std::string WatchTarget(const WatchOptions& options) const override {
    return jobrun::WatchTarget({}, options);
  }

  Result<EventDecoder::Page> ReadPage(const std::string& body) override {
    return decoder_.DecodePage(body, [this](const Event& event) { OnEvent(event, true); });
  }

  RequestId Send(Request request) override {
    EXPECT_FALSE(request_ || stream_) << "asks twice at the same time";
    const std::string token = Parameter(request.target, "continue");
    Note(token.empty() ? "list" : "list " + token);
    request.id = next_id_++;
    request_ = std::move(request);
    return request_->id;
  }

  StreamId Open(OpenStream stream) override {
    EXPECT_FALSE(request_ || stream_) << "asks twice at the same time";
    const bool initial = !Parameter(stream.target, "sendInitialEvents").empty();
    EXPECT_EQ(initial, listing_);
    Note("open " + (initial ? "initial" : Parameter(stream.target, "resourceVersion")));
    stream.id = next_id_++;
    stream_ = std::move(stream);
    return stream_->id;
  }

  void Close(StreamId stream) override {
    EXPECT_TRUE(stream_ && stream_->id == stream) << "closes a stream that is not open";
    Note("close");
    stream_.reset();
  }

  void OnListing() override {
    Note("listing");
    listing_ = true;
    listed_.clear();
  }

  void OnReplaced() override {
    EXPECT_TRUE(std::exchange(listing_, false)) << "replaces without a list";
    Note("replaced");
    std::erase_if(copy_, [this](const auto& entry) { return !listed_.contains(entry.first); });
  }

  void OnEvent(const Event& event, bool initial) override {
    static constexpr std::array<std::string_view, 3> kNames = {"added ", "modified ", "deleted "};
    EXPECT_EQ(initial, listing_);
    const std::string name(event.run.name);
    if (event.type == EventType::kInvalid) return Note("invalid " + name);
    const auto type = static_cast<std::size_t>(event.type);
    ASSERT_LT(type, kNames.size()) << "no event for a host";
    const std::uint64_t version = event.run.resource_version;
    Note((initial ? "initial " : "") + std::string(kNames.at(type)) + name + "@" +
         std::to_string(version));
    if (event.type == EventType::kDeleted) {
      copy_.erase(name);
      return;
    }
    listed_.insert(name);
    copy_[name] = version;
  }

  std::optional<Nanos> ListAgainAfter() const override { return list_again_after; }

  void OnListEnded(ListOutcome outcome) override {
    static constexpr std::array<std::string_view, 3> kNames = {"complete", "expired", "failed"};
    EXPECT_EQ(listing_, outcome != ListOutcome::kComplete);
    listing_ = false;
    Note("list " + std::string(kNames.at(static_cast<std::size_t>(outcome))));
  }

  void OnStreamEnded(StreamEnd end) override {
    static constexpr std::array<std::string_view, 5> kNames = {"server", "transport", "expired",
                                                               "error", "refused"};
    EXPECT_FALSE(stream_) << "an open stream has not ended";
    Note("stream " + std::string(kNames.at(static_cast<std::size_t>(end))));
  }

  void OnProblem(std::string_view problem) override {
    Note("problem " + std::string(problem));
    problem_ = problem;
  }

 private:
  void Note(std::string call) { calls_.push_back(std::move(call)); }

  EventDecoder decoder_;
  std::vector<std::string> calls_;
  std::map<std::string, std::uint64_t> copy_;
  std::set<std::string> listed_;
  std::optional<OpenStream> stream_;
  std::optional<Request> request_;
  std::string problem_;
  std::uint64_t next_id_{1};
  bool listing_{false};
};

}  // namespace jobrun
