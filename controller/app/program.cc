#include "controller/app/program.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include "controller/app/config_file.h"
#include "controller/app/driver.h"
#include "controller/app/endpoints.h"
#include "controller/app/log_sink.h"
#include "controller/app/metrics.h"
#include "controller/app/own_pod.h"
#include "controller/base/hex.h"
#include "controller/base/real_clock.h"
#include "controller/engine/engine.h"
#include "controller/kube/credentials.h"
#include "controller/kube/event_loop.h"
#include "controller/kube/make_transport.h"

namespace jobrun {
namespace {

// Connections are cheap, but an API server has few slots for one client.
constexpr int kDataConnectionsMax = 256;

std::uint64_t RandomBits() {
  std::uint64_t bits = 0;
  if (getrandom(&bits, sizeof bits, 0) != sizeof bits) throw std::runtime_error("no randomness");
  return bits;
}

int Fail(LogSink& log, int code, const char* what, const Error& error) {
  log.Write({LogLevel::kError, what, {{"error", error.ToString()}}});
  return code;
}

// How soon a changed configuration is noticed. A mounted ConfigMap itself takes up to a minute.
constexpr Nanos kConfigPoll = std::chrono::seconds(2);

void TellWarnings(const LoadedConfig& config, LogSink& log) {
  for (const std::string& warning : config.warnings) {
    log.Write({LogLevel::kWarn, "bad value in the configuration", {{"error", warning}}});
  }
}

Result<Settings> ReadSettings(std::optional<ConfigFile>& file, LogSink& log) {
  if (!file) return Settings{};
  auto config = file->Load();
  if (!config) return config.error();
  TellWarnings(*config, log);
  return std::move(config->settings);
}

// Follows the configuration file as long as the loop runs.
class ConfigWatch {
 public:
  struct Told {
    Driver& driver;
    Metrics& metrics;
    LogSink& log;
  };
  ConfigWatch(EventLoop& loop, ConfigFile& file, Told told)
      : timer_(loop), file_(file), told_(told) {
    Wait();
  }

 private:
  void Wait() {
    timer_.Set(ReadClocks().mono + kConfigPoll, [this] { Look(); });
  }

  void Look() {
    auto changed = file_.Changed();
    if (changed) told_.metrics.SetConfigInForce(changed->ok());
    if (changed && changed->ok()) {
      TellWarnings(**changed, told_.log);
      told_.log.Write({LogLevel::kInfo, "the configuration was loaded anew"});
      told_.driver.Reload(std::move((*changed)->settings));
    } else if (changed) {
      Refuse(changed->error().ToString());
    }
    Wait();
  }

  void Refuse(const std::string& error) {
    told_.log.Write({LogLevel::kError,
                     "the new configuration holds a mistake; the one before it stays in force",
                     {{"error", error}}});
    told_.driver.Tell(TellBadConfig(error));
  }

  Timer timer_;
  ConfigFile& file_;
  Told told_;
};

std::optional<std::string> ReadEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Result<Credentials> ReadCredentials(const Flags& flags, LogSink& log) {
  auto credentials =
      FindCredentials({.kubeconfig = flags.kubeconfig, .environment = ReadEnvironment});
  if (!credentials) return credentials;
  for (const std::string& warning : credentials->warnings) {
    log.Write({LogLevel::kWarn, "credentials", {{"warning", warning}}});
  }
  return credentials;
}

// The first signal lets the engine finish, the second does not wait for it.
void StopOnSignals(EventLoop& loop, Driver*& driver, LogSink& log) {
  loop.OnSignal({SIGTERM, SIGINT}, [&driver, &log, stopping = false](int) mutable {
    log.Write({LogLevel::kInfo, stopping ? "stopping at once" : "stopping"});
    if (std::exchange(stopping, true)) _exit(kExitInternal);
    driver->BeginStop();
  });
}

Replica ReplicaOf(const Flags& flags, const std::optional<OwnPod>& pod,
                  const Credentials& credentials, const std::string& process_id) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  Replica replica{.identity = IdentityOf(pod, host.data(), process_id)};
  replica.name_space = flags.election_namespace;
  if (replica.name_space.empty()) replica.name_space = credentials.name_space;
  if (replica.name_space.empty()) replica.name_space = "default";
  if (flags.leader_elect) replica.lease = flags.election_id;
  return replica;
}

std::string NamespacesOf(const std::vector<WatchScope>& scopes) {
  std::string names;
  for (const WatchScope& scope : scopes) names += (names.empty() ? "" : ",") + scope.name_space;
  return names;
}

int Leave(ExitCause cause, LogSink& log) {
  switch (cause) {
    case ExitCause::kStopped:
      break;
    case ExitCause::kLeaseLost:
      log.Write({LogLevel::kError,
                 "the Lease was lost while writes were under way; another may lead by now"});
      return kExitLeaseLost;
    case ExitCause::kNamespaceMissing:
      log.Write({LogLevel::kError,
                 "the namespace of the canaries does not exist: create it, or name another with "
                 "--leader-election-namespace"});
      return kExitCredentials;
  }
  log.Write({LogLevel::kInfo, "stopped"});
  return kExitStopped;
}

Result<std::vector<std::unique_ptr<HttpServer>>> Serve(const Flags& flags, Driver& driver,
                                                       const Metrics& metrics, LogSink& log) {
  std::vector<Listener> listeners(2);
  listeners[0] = {.what = "metrics", .address = flags.metrics_address};
  listeners[1] = {.what = "probes", .address = flags.probe_address, .routes = ProbeRoutes(driver)};
  if (flags.metrics_secure && flags.metrics_address != kNoServer) {
    CertificateFiles files;
    if (const std::string& folder = flags.metrics_certificate_path; !folder.empty()) {
      files = {folder + '/' + flags.metrics_certificate, folder + '/' + flags.metrics_key};
    }
    auto tls = ServerTls::Load(std::move(files), log);
    if (!tls) return tls.error();
    listeners[0].tls = std::move(*tls);
  }
  listeners[0].routes =
      MetricsRoutes(driver, metrics, flags.metrics_secure ? Readers::kReviewed : Readers::kAnybody);
  return StartServers(std::move(listeners), log);
}

int Run(const Flags& flags, LogSink& log) {
  EventLoop loop;
  Driver* stopped_driver = nullptr;
  // First of all: as process 1 of a container it would otherwise be deaf until the loop runs.
  StopOnSignals(loop, stopped_driver, log);

  std::optional<ConfigFile> file;
  if (!flags.config.empty()) file.emplace(flags.config);
  auto settings = ReadSettings(file, log);
  if (!settings) return Fail(log, kExitUsage, "configuration", settings.error());
  auto credentials = ReadCredentials(flags, log);
  if (!credentials) return Fail(log, kExitCredentials, "credentials", credentials.error());

  const std::string process_id = HexOf(RandomBits());
  log.Write({LogLevel::kInfo,
             "starting",
             {{"version", JOBRUN_VERSION},
              {"server", credentials->server.Url()},
              {"credentials", credentials->origin},
              {"process", process_id}}});

  const int in_flight = std::clamp(settings->rate_limit.in_flight, 1, kDataConnectionsMax);
  const auto pod = FindOwnPod(ReadEnvironment, credentials->name_space);
  Engine engine({.scopes = flags.scopes,
                 .process_id = process_id,
                 .seed = RandomBits(),
                 .replica = ReplicaOf(flags, pod, *credentials, process_id),
                 .settings = std::move(settings).value()},
                ReadClocks());
  Metrics metrics({.version = JOBRUN_VERSION,
                   .api_host = credentials->server.Authority(),
                   .lease = flags.election_id,
                   .namespaces = NamespacesOf(flags.scopes),
                   .selector = flags.scopes.front().selector});
  DriverParts parts = PartsOf(engine, loop);
  parts.own_pod = pod;
  parts.process_id = process_id;
  Driver driver(std::move(parts), metrics, log);
  stopped_driver = &driver;
  auto transport =
      MakeTransport(loop, std::move(credentials).value(),
                    {.data_connections = static_cast<std::size_t>(in_flight), .log = &log}, driver);
  if (!transport) return Fail(log, kExitCredentials, "credentials", transport.error());

  // After everything they ask, so that they are gone first.
  const auto servers = Serve(flags, driver, metrics, log);
  if (!servers) return Fail(log, kExitUsage, "can't serve", servers.error());

  driver.Start(**transport);
  std::optional<ConfigWatch> config_watch;
  if (file) config_watch.emplace(loop, *file, ConfigWatch::Told{driver, metrics, log});
  loop.Run();
  return Leave(driver.Cause(), log);
}

}  // namespace

int RunController(const Flags& flags) {
  const auto log = MakeStderrSink(flags.log_level, flags.log_format);
  try {
    return Run(flags, *log);
  } catch (const std::exception& error) {
    return Fail(*log, kExitInternal, "internal error",
                {Code::kInternal, "run the controller", error.what()});
  }
}

}  // namespace jobrun
