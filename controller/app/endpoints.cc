#include "controller/app/endpoints.h"

#include <map>
#include <utility>

#include "controller/wire/explanation_writer.h"

namespace jobrun {
namespace {

// Prometheus 3 refuses a content type without the version.
constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

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

void Explain(Driver& driver, const HttpQuery& query, ServerReplier reply) {
  if (!query.from_loopback) {
    return reply(
        [] { return Said(403, "explanations are given to clients of this machine only"); });
  }
  const std::string run = query.Get("run").value_or("");
  const std::size_t slash = run.find('/');
  if (slash == std::string::npos) {
    return reply([] { return Said(400, "expected ?run=NAMESPACE/NAME"); });
  }
  driver.AskExplanation(run.substr(0, slash), run.substr(slash + 1),
                        [run, reply = std::move(reply)](const Driver::Explained& explained) {
                          reply([run, explained] {
                            if (!explained) return Said(404, "no run of this name is known");
                            return ServerReply{.content_type = "application/json",
                                               .body = WriteExplanation(*explained) + '\n'};
                          });
                        });
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

HttpRoutes MetricsRoutes(Driver& driver, const Metrics& metrics) {
  const auto scrape = [&driver, &metrics](const HttpQuery&, ServerReplier reply) {
    driver.AskGauges([&metrics, reply = std::move(reply)](const Gauges& answered) {
      // Made on the server's thread: the text of a thousand lanes would hold up the loop.
      reply([&metrics, gauges = answered]() mutable {
        gauges.process = ReadProcessStats();
        return ServerReply{.content_type = kMetricsContentType, .body = metrics.Render(gauges)};
      });
    });
  };
  const auto explain = [&driver](const HttpQuery& query, ServerReplier reply) {
    Explain(driver, query, std::move(reply));
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
    auto server = HttpServer::Start(*address, std::move(listener.routes));
    if (!server) return server.error();
    log.Write({.level = LogLevel::kInfo,
               .message = "serving " + listener.what,
               .fields = {{"at", (*server)->Address()}}});
    servers.push_back(std::move(server).value());
  }
  return servers;
}

}  // namespace jobrun
