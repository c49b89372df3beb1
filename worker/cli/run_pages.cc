#include "worker/cli/run_pages.h"

#include "controller/wire/http_status.h"
#include "controller/wire/targets.h"
#include "worker/cli/object_text.h"

namespace jobrun {
namespace {

constexpr Nanos kPageDeadline = std::chrono::seconds(60);

// Where a list whose version was compacted away goes on: the server says so in its refusal.
std::string TokenAfter(const Response& gone) {
  const auto status = ParseJson(gone.body);
  return status ? TextAt(PartOf(*status, "metadata"), "continue") : "";
}

int FailList(Tool& tool, const Response& answer) {
  ToolFailure failure = FailureOf(answer, "list JobRuns");
  if (failure.code == kToolNotFound) {
    failure.text += " (is the resource installed? kubectl apply -f crds/jobruns.yaml)";
  }
  return tool.Fail(failure);
}

}  // namespace

int EachPage(Tool& tool, ApiClient& api, const WatchScope& scope,
             const std::function<Result<EventDecoder::Page>(const std::string& body)>& read) {
  ListOptions options;
  do {
    const Response answer = api.Call({.klass = RequestClass::kData,
                                      .target = ListTarget(scope, options),
                                      .deadline = kPageDeadline});
    if (answer.status == kHttpGone && !options.continue_token.empty()) {
      options.continue_token = TokenAfter(answer);
      if (options.continue_token.empty()) return FailList(tool, answer);
      tool.Log().Write({LogLevel::kWarn, "the list took long: the rest is as of now"});
      continue;
    }
    if (answer.status != kHttpOk) return FailList(tool, answer);
    auto page = read(answer.body);
    if (!page) return tool.Fail({kToolUnreachable, "list JobRuns: " + page.error().ToString()});
    options.continue_token = std::move(page->continue_token);
  } while (!options.continue_token.empty());
  return kToolDone;
}

}  // namespace jobrun
