// jobrun top: a picture of the runs that follows them.
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <utility>

#include "controller/base/real_clock.h"
#include "controller/wire/http_status.h"
#include "worker/cli/run_follower.h"
#include "worker/cli/top_picture.h"

namespace jobrun {
namespace {

constexpr double kIntervalMin = 0.1;
constexpr double kIntervalMax = 3600;
// For pipes, where nothing tells how many lines fit.
constexpr std::size_t kPipeRows = 60;

struct TopFlags {
  ScopeFlags scope{};
  double interval{2};
  bool once{false};
};

// The alternate screen of a terminal: what was there before comes back when this ends.
class Screen {
 public:
  explicit Screen(bool wanted) : on_(wanted && isatty(STDOUT_FILENO) == 1) {
    if (on_) Print("\x1b[?1049h\x1b[?25l");
  }
  ~Screen() { Leave(); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void Leave() {
    if (std::exchange(on_, false)) Print("\x1b[?25h\x1b[?1049l");
  }

  void Fit(PictureFrame& frame) const {
    winsize size{};
    frame.rows = kPipeRows;
    if (!on_ || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 2) return;
    frame.rows = size.ws_row - 1U;  // the last line's end would move the picture
    frame.columns = size.ws_col;
  }

  // Line over line, so that nothing flickers.
  void Show(const std::string& picture) const {
    if (!on_) return Print(picture + '\n');
    std::string drawn = "\x1b[H";
    for (const char c : picture) {
      if (c == '\n') drawn += "\x1b[K";
      drawn += c;
    }
    Print(drawn + "\x1b[J");
  }

 private:
  bool on_;
};

class Top final : private RunListener {
 public:
  Top(Tool& tool, ApiClient& api, const TopFlags& flags)
      : tool_(tool),
        api_(api),
        flags_(flags),
        title_(WordsOf(flags.scope, tool.Namespace())),
        redraw_(tool.Loop()),
        screen_(!flags.once),
        follower_(api, ScopeOf(flags.scope, tool.Namespace()), *this) {
    tool.Loop().OnSignal({SIGINT, SIGTERM, SIGHUP, SIGQUIT}, [this](int signal) { Stop(signal); });
  }

  int Run() {
    follower_.Start();
    if (!flags_.once) Redraw();
    while (!stopped_) tool_.Loop().Run();
    screen_.Leave();
    return code_;
  }

 private:
  void OnRun(const RunRow& row, bool) override {
    if (row.deleted) {
      runs_.erase(row.uid);
    } else {
      runs_[row.uid] = row;
    }
  }

  void OnTurn(bool whole) override {
    whole_ = whole_ || whole;
    if (!flags_.once || !whole_ || stopped_) return;
    Draw();
    Stop(0);
  }

  void Draw() {
    PictureFrame frame{
        .now = api_.Stamp().Next(ReadClocks().mono), .title = title_, .whole = whole_};
    screen_.Fit(frame);
    screen_.Show(Picture(runs_, frame));
  }

  void Redraw() {
    Draw();
    const auto interval = std::chrono::duration<double>(flags_.interval);
    redraw_.Set(ReadClocks().mono + std::chrono::duration_cast<Nanos>(interval),
                [this] { Redraw(); });
  }

  // Ctrl-C is how one leaves it; other signals count as ever.
  void Stop(int signal) {
    constexpr int kSignalBase = 128;
    code_ = signal == 0 || signal == SIGINT ? 0 : kSignalBase + signal;
    stopped_ = true;
    tool_.Loop().Stop();
  }

  Tool& tool_;
  ApiClient& api_;
  const TopFlags& flags_;
  const std::string title_;
  RunTable runs_{};
  bool whole_{false};
  bool stopped_{false};
  int code_{0};
  Timer redraw_;
  Screen screen_;
  RunFollower follower_;
};

int ShowTop(Tool& tool, const TopFlags& flags) {
  if (const auto mistake = MistakeIn(flags.scope)) return tool.FailUsage(*mistake);
  if (flags.interval < kIntervalMin || flags.interval > kIntervalMax) {
    return tool.FailUsage("--interval: expected 0.1 to 3600 seconds");
  }
  const auto api = tool.Api();
  if (!api) return tool.FailCredentials(api.error());
  // The view tries again for ever; what can't work is told once, before.
  const Response answer =
      (*api)->Call({.klass = RequestClass::kData,
                    .target = ListTarget(ScopeOf(flags.scope, tool.Namespace()), {.limit = 1})});
  if (answer.status != kHttpOk) return tool.Fail(FailureOf(answer, "watch JobRuns"));
  return Top(tool, **api, flags).Run();
}

}  // namespace

void AddTop(const CommandLine& line) {
  const auto flags = std::make_shared<TopFlags>();
  CLI::App& command = *line.app.add_subcommand(
      "top", "Follow runs by lane and phase, the oldest heartbeats, the latest verdicts");
  AddCommonFlags(command, line.flags);
  AddScopeFlags(command, flags->scope);
  command.add_option("--interval", flags->interval, "Seconds between two pictures (default 2)")
      ->option_text("SECONDS");
  command.add_flag("--once", flags->once, "Print one picture and exit");
  command.callback(
      [line, flags] { line.chosen = [flags](Tool& tool) { return ShowTop(tool, *flags); }; });
}

}  // namespace jobrun
