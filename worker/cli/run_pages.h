// Lists of runs, page by page: a collection is never held whole.
#pragma once

#include <functional>
#include <string>

#include "controller/wire/targets.h"
#include "worker/cli/tool.h"

namespace jobrun {

// Asks for the runs of `scope` and hands each page's body to `read`, which returns where the next
// one is. The exit code; failures are told. A list that the server forgets while it is read goes on
// with what is there then, with a word on stderr.
[[nodiscard]] int EachPage(
    Tool& tool, ApiClient& api, const WatchScope& scope,
    const std::function<Result<EventDecoder::Page>(const std::string& body)>& read);

}  // namespace jobrun
