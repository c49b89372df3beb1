// Random operations of an API server and a network that fails in every way against the reflector:
// in the end the copy is the server's, and on the way nothing is missing that was there all the
// time.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/watch/fake_api.h"
#include "tests/watch/reflector_harness.h"

namespace jobrun {
namespace {

using namespace std::chrono_literals;  // NOLINT

class Soak {
 public:
  explicit Soak(std::uint64_t seed)
      : random_(seed), api_(random_), reflector_(seed), has_watch_list_(OneIn(2)) {}

  void RunWithFaults(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      Step();
      CheckNothingIsMissing();
    }
  }

  // Faults off: how long until the copy is the server's, at most.
  void Converge() {
    faults_ = false;
    for (int second = 0; second < 300 && !InStep(); ++second) {
      reflector_.Pass(1s);
      Serve();
    }
    EXPECT_TRUE(reflector_.Machine().Synced());
    EXPECT_EQ(reflector_.Host().Copy(), api_.Objects());
  }

 private:
  bool OneIn(std::uint64_t n) { return random_.Below(n) == 0; }
  bool Fault(std::uint64_t one_in) { return faults_ && OneIn(one_in); }

  void Step() {
    const std::uint64_t dice = random_.Below(100);
    if (dice < 40) return api_.Write();
    if (dice < 44) return api_.Compact();
    if (dice < 85) return Serve();
    if (dice < 95) return reflector_.Pass(std::chrono::milliseconds(random_.Below(15000)));
    Haunt();
  }

  bool InStep() {
    return reflector_.Host().Stream() && reflector_.Host().Stream()->id == stream_ &&
           told_.empty() && !silent_ && position_ == api_.Version();
  }

  void CheckNothingIsMissing() {
    if (!reflector_.Machine().Synced()) return;
    for (const char* const name : FakeApi::kKept) {
      ASSERT_TRUE(reflector_.Host().Copy().contains(name));
    }
  }

  // Something of a stream or request that is long over.
  void Haunt() {
    const StreamId old = random_.Below(1 + stream_);
    if (reflector_.Host().Stream() && reflector_.Host().Stream()->id == old) return;
    reflector_.LinesOf(old, {Deleted({FakeApi::kKept[0], 1}), InitialEventsEnd(1), ErrorLine(410)});
    reflector_.EndedOf(old, 410);
    if (reflector_.Host().Asked() && reflector_.Host().Asked()->id == old) return;
    reflector_.Machine().OnResponse({.id = old, .status = 200, .body = PageText(1, {})},
                                    reflector_.Time());
  }

  void Serve() {
    if (reflector_.Host().Asked()) return AnswerPage();
    if (!reflector_.Host().Stream()) return;
    if (reflector_.Host().Stream()->id != stream_) return AnswerWatch();
    Tell();
  }

  void AnswerPage() {
    if (Fault(10)) return reflector_.Answer(Response{.too_large = true, .detail = "too large"});
    if (Fault(6)) return reflector_.Answer(FailedStatus(), StatusText(500, "no"), Seconds(1));
    const std::string page = api_.Page(Parameter(reflector_.Host().Asked()->target, "continue"));
    if (page.empty()) return reflector_.Answer(410);
    if (Fault(10)) return reflector_.Answer(200, page.substr(0, random_.Below(page.size())));
    reflector_.Answer(200, page);
  }

  int FailedStatus() {
    static constexpr int kStatuses[] = {0, 403, 429, 500, 504};
    return kStatuses[random_.Below(std::size(kStatuses))];
  }

  void AnswerWatch() {
    const OpenStream stream = *reflector_.Host().Stream();
    const std::string from = Parameter(stream.target, "resourceVersion");
    if (from.empty() && !has_watch_list_) return reflector_.Ended(400);
    if (Fault(6)) return reflector_.Ended(FailedStatus());
    if (!from.empty() && !api_.Remembers(std::stoul(from)) && OneIn(2))
      return reflector_.Ended(410);
    stream_ = stream.id;
    told_.clear();
    silent_ = Fault(8);
    position_ = from.empty() ? api_.Version() : std::stoul(from);
    if (from.empty()) {
      for (const Item& item : api_.Snapshot()) told_.push_back(Added(item));
      told_.push_back(InitialEventsEnd(position_));
    }
    reflector_.Opened();
  }

  // The next thing on the open stream.
  void Tell() {
    if (silent_ && OneIn(faults_ ? 3 : 1)) return reflector_.Ended(0);  // its deadline
    if (silent_) return;
    if (Fault(12)) return reflector_.Ended(OneIn(2) ? 200 : 0);
    if (Fault(20)) return reflector_.Lines({ErrorLine(OneIn(2) ? 410 : 500)});
    if (!told_.empty()) return TellInitial();
    if (!api_.Remembers(position_)) return reflector_.Lines({ErrorLine(410)});
    const std::uint64_t back = random_.Below(4);
    if (Fault(8) && api_.Remembers(position_ - back)) position_ -= back;  // a replay
    std::vector<std::string> lines;
    for (const FakeApi::Change& change : api_.After(position_, 1 + random_.Below(5))) {
      if (Fault(10)) lines.emplace_back("garbage");
      lines.push_back(change.line);
      position_ = change.version;
    }
    if (position_ == api_.Version() && OneIn(3)) lines.push_back(Bookmark(position_));
    if (Fault(15)) lines.push_back(ErrorLine(500));
    reflector_.Lines(lines);
  }

  void TellInitial() {
    const std::size_t count = std::min<std::size_t>(told_.size(), 1 + random_.Below(6));
    const auto end = told_.begin() + static_cast<std::ptrdiff_t>(count);
    const std::vector<std::string> lines(told_.begin(), end);
    told_.erase(told_.begin(), end);
    reflector_.Lines(lines);
  }

  Random random_;
  FakeApi api_;
  ReflectorHarness reflector_;
  bool has_watch_list_;
  bool faults_{true};
  StreamId stream_{0};               // the one that was accepted last
  std::uint64_t position_{0};        // its events up to this version were told
  std::vector<std::string> told_{};  // what is left of its initial events
  bool silent_{false};               // half-open: nothing comes any more
};

TEST(ReflectorSoakTest, TheCopyConvergesAndIsNeverPartial) {
  for (std::uint64_t seed = 1; seed <= 250; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Soak soak(seed);
    soak.RunWithFaults(400);
    soak.Converge();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace jobrun
