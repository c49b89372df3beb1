#include "controller/app/endpoints.h"

#include <map>
#include <utility>

#include "controller/base/object_name.h"
#include "controller/wire/explanation_writer.h"

namespace jobrun {
namespace {

// Prometheus 3 refuses a content type without the version.
constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// Two questions to the API server and the answer itself; below the usual scrape timeout of 10 s.
constexpr std::chrono::milliseconds kReviewedReplyDeadline{9'000};
static_assert(kReviewedReplyDeadline > 2 * AccessReviews::kDeadline);

struct Check {
  std::string name{};
  std::string problem{};  // empty: passed
  std::string remark{};
};

// The form that kube-apiserver's own probes have.
std::string Details(const std::vector<Check>& checks) {
  std::string text;
  for (const Check& check : checks) {
    text += (check.problem.empty() ? "[+]" : "[-]") + check.name;
    text += check.problem.empty() ? " ok" : " failed: " + check.problem;
    if (!check.remark.empty()) text += " (" + check.remark + ')';
    text += '\n';
  }
  return text;
}

ServerReply Verdict(const std::vector<Check>& checks, bool verbose) {
  ServerReply reply{.body = "ok\n"};
  for (const Check& check : checks) {
    if (check.problem.empty() || reply.status != 200) continue;
    reply = {.status = 503, .body = check.name + ": " + check.problem + '\n'};
  }
  if (verbose) reply.body = Details(checks) + (reply.status == 200 ? "passed\n" : "failed\n");
  return reply;
}

ServerReply Said(int status, std::string what) {
  return {.status = status, .body = std::move(what) + '\n'};
}

// Calls `serve` when the holder of the query's token may read that; else replies why not.
void Guard(Driver& driver, const HttpQuery& query, WantedAccess wanted, ServerReplier reply,
           std::function<void(ServerReplier)> serve) {
  driver.AskAccess(
      query.bearer, std::move(wanted),
      [reply = std::move(reply), serve = std::move(serve)](Access access) {
        switch (access) {
          case Access::kAllowed:
            return serve(reply);
          case Access::kUnauthenticated:
            return reply([] { return Said(401, "expected a bearer token that is good"); });
          case Access::kForbidden:
            return reply([] { return Said(403, "the holder of this token may not get this"); });
          case Access::kUnknown:
            return reply([] { return Said(503, "the API server can't be asked who you are"); });
        }
      });
}

// What "NAMESPACE/NAME" names; nothing: it is none.
std::optional<WantedAccess> RunOf(const HttpQuery& query) {
  const std::string run = query.Get("run").value_or("");
  const std::size_t slash = run.find('/');
  if (slash == std::string::npos || !IsDnsLabel(run.substr(0, slash)) ||
      !IsObjectName(run.substr(slash + 1))) {
    return std::nullopt;
  }
  return WantedAccess{.name_space = run.substr(0, slash), .name = run.substr(slash + 1)};
}

void TellExplanation(Driver& driver, const WantedAccess& run, ServerReplier reply) {
  driver.AskExplanation(run.name_space, run.name,
                        [reply = std::move(reply)](const Driver::Explained& explained) {
                          reply([explained] {
                            if (!explained) return Said(404, "no run of this name is known");
                            return ServerReply{.content_type = "application/json",
                                               .body = WriteExplanation(*explained) + '\n'};
                          });
                        });
}

void Explain(Driver& driver, const HttpQuery& query, Readers readers, ServerReplier reply) {
  if (readers == Readers::kAnybody && !query.from_loopback) {
    return reply(
        [] { return Said(403, "explanations are given to clients of this machine only"); });
  }
  const std::optional<WantedAccess> run = RunOf(query);
  if (!run) return reply([] { return Said(400, "expected ?run=NAMESPACE/NAME"); });
  const auto serve = [&driver, run = *run](ServerReplier answer) {
    TellExplanation(driver, run, std::move(answer));
  };
  if (readers == Readers::kAnybody) return serve(std::move(reply));
  Guard(driver, query, *run, std::move(reply), serve);
}

}  // namespace

ServerReply LivenessReply(Nanos since_turn, bool verbose) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_turn).count();
  const std::string ago = std::to_string(seconds) + " s";
  Check loop{.name = "loop", .remark = "last turn " + ago + " ago"};
  if (since_turn > kStuckAfter) loop = {.name = "loop", .problem = "no turn for " + ago};
  return Verdict({loop}, verbose);
}

ServerReply ReadinessReply(const Health& health, bool verbose) {
  const auto when = [](bool bad, std::string problem) { return bad ? std::move(problem) : ""; };
  return Verdict(
      {{.name = "running", .problem = when(health.stopping, "stopping")},
       {.name = "api-server", .problem = health.problem},
       {.name = "sync", .problem = when(!health.synced, "no complete list of runs seen yet")},
       {.name = "configuration",
        .remark = health.held_lanes.empty() ? "" : "held lanes: " + health.held_lanes}},
      verbose);
}

HttpRoutes MetricsRoutes(Driver& driver, const Metrics& metrics, Readers readers) {
  const auto show = [&driver, &metrics](ServerReplier reply) {
    driver.AskGauges([&metrics, reply = std::move(reply)](const Gauges& answered) {
      // Made on the server's thread: the text of a thousand lanes would hold up the loop.
      reply([&metrics, gauges = answered]() mutable {
        gauges.process = ReadProcessStats();
        return ServerReply{.content_type = kMetricsContentType, .body = metrics.Render(gauges)};
      });
    });
  };
  const auto scrape = [&driver, readers, show](const HttpQuery& query, ServerReplier reply) {
    if (readers == Readers::kAnybody) return show(std::move(reply));
    Guard(driver, query, {.path = query.path}, std::move(reply), show);
  };
  const auto explain = [&driver, readers](const HttpQuery& query, ServerReplier reply) {
    Explain(driver, query, readers, std::move(reply));
  };
  return {{"/metrics", scrape}, {"/debug/explain", explain}};
}

HttpRoutes ProbeRoutes(Driver& driver) {
  const auto live = [&driver](const HttpQuery& query, const ServerReplier& reply) {
    reply([&driver, verbose = query.Has("verbose")] {
      return LivenessReply(driver.SinceTurn(), verbose);
    });
  };
  const auto ready = [&driver](const HttpQuery& query, ServerReplier reply) {
    driver.AskHealth(
        [verbose = query.Has("verbose"), reply = std::move(reply)](const Health& health) {
          reply([verbose, health] { return ReadinessReply(health, verbose); });
        });
  };
  return {{"/healthz", live}, {"/livez", live}, {"/readyz", ready}};
}

Result<std::vector<std::unique_ptr<HttpServer>>> StartServers(std::vector<Listener> listeners,
                                                              LogSink& log) {
  std::vector<Listener> shared;
  for (Listener& listener : listeners) {
    if (listener.address == kNoServer) continue;
    // Two listeners on port 0 want two ports.
    const bool any_port = listener.address.ends_with(":0");
    Listener* same = nullptr;
    for (Listener& other : shared) {
      if (!any_port && other.address == listener.address) same = &other;
    }
    if (same != nullptr && (same->tls || listener.tls)) {
      return Error{Code::kInvalid, "listen on " + listener.address,
                   "metrics that are served securely need an address of their own"};
    }
    if (same == nullptr) {
      shared.push_back(std::move(listener));
    } else {
      same->what += " and " + listener.what;
      same->routes.merge(listener.routes);
    }
  }
  std::vector<std::unique_ptr<HttpServer>> servers;
  for (Listener& listener : shared) {
    const auto address = ParseBindAddress(listener.address);
    if (!address) return address.error();
    const bool secure = listener.tls != nullptr;
    HttpService service{.routes = std::move(listener.routes), .tls = std::move(listener.tls)};
    if (secure) service.limits.reply_deadline = kReviewedReplyDeadline;
    auto server = HttpServer::Start(*address, std::move(service));
    if (!server) return server.error();
    log.Write({.level = LogLevel::kInfo,
               .message = "serving " + listener.what,
               .fields = {{"at", (*server)->Address()}, {"scheme", secure ? "https" : "http"}}});
    servers.push_back(std::move(server).value());
  }
  return servers;
}

}  // namespace jobrun
