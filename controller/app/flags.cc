#include "controller/app/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "controller/app/bind_address.h"
#include "controller/base/hex.h"
#include "controller/base/object_name.h"
#include "controller/base/stable_hash.h"
#include "controller/base/wording.h"

namespace jobrun {
namespace {

constexpr std::string_view kProgram = "jobrun-controller";
// One watch each: more are better served by watching all namespaces.
constexpr std::size_t kNamespacesMax = 100;

struct Texts {
  std::vector<std::string> namespaces{};
  std::string selector{};
  std::optional<std::string> election_id{};
  std::string log_level{"info"};
  std::string log_format{"text"};
};

void AddOptions(CLI::App& app, Flags& flags, Texts& texts) {
  app.set_help_flag("--help", "Print this help and exit");
  app.set_version_flag("--version", std::string(kProgram) + " " JOBRUN_VERSION,
                       "Print the version and exit");
  app.add_option(
         "--kubeconfig", flags.kubeconfig,
         "Kubeconfig file; without it $KUBECONFIG, the pod's service account, ~/.kube/config")
      ->option_text("FILE");
  app.add_option("--config", flags.config, "Configuration file; without it the built-in defaults")
      ->option_text("FILE");
  app.add_option("--namespace", texts.namespaces,
                 "Watch this namespace only; may be given several times (default: all)")
      ->option_text("NAME")
      ->allow_extra_args(false);
  app.add_option("--selector", texts.selector, "Watch runs with these labels only, e.g. team=a")
      ->option_text("LABELS");
  app.add_option("--metrics-bind-address", flags.metrics_address,
                 "Where /metrics is served (default :8080); 0 turns it off")
      ->option_text("ADDRESS");
  app.add_flag("--metrics-secure", flags.metrics_secure,
               "Serve them over HTTPS, to holders of tokens that may get them (default false)");
  app.add_option("--metrics-cert-path", flags.metrics_certificate_path,
                 "Folder of the certificate for that; without it one that signs itself")
      ->option_text("FOLDER");
  app.add_option("--metrics-cert-name", flags.metrics_certificate,
                 "Its file there (default tls.crt)")
      ->option_text("FILE");
  app.add_option("--metrics-cert-key", flags.metrics_key, "Its key there (default tls.key)")
      ->option_text("FILE");
  app.add_option("--health-probe-bind-address", flags.probe_address,
                 "Where /healthz, /livez and /readyz are served (default :8081); 0 turns it off")
      ->option_text("ADDRESS");
  app.add_flag("--leader-elect", flags.leader_elect,
               "Write only while holding a Lease, so that replicas can stand by (default false)");
  app.add_option("--leader-election-namespace", flags.election_namespace,
                 "Where that Lease and the canaries are (default: the pod's own namespace, or "
                 "that of the kubeconfig's context, or default)")
      ->option_text("NAME");
  app.add_option("--leader-election-id", texts.election_id,
                 "Name of that Lease (default jobrun-controller; one of its own for each "
                 "--namespace and --selector)")
      ->option_text("NAME");
  app.add_option("--log-level", texts.log_level, "debug, info, warn or error (default info)")
      ->option_text("LEVEL");
  app.add_option("--log-format", texts.log_format, "text or json (default text)")
      ->option_text("FORMAT");
  app.add_flag("--print-metrics-doc", flags.print_metrics_doc)->group("");
  // As Go's flags: the last one counts.
  for (CLI::Option* option : app.get_options()) {
    if (option->get_name() != "--namespace") option->take_last();
  }
}

EarlyExit BadUsage(std::string what) {
  std::replace(what.begin(), what.end(), '\n', ' ');
  return {kExitUsage, std::string(kProgram) + ": " + what + " (see --help)\n"};
}

EarlyExit NotUnderstood(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> rest = app.remaining();
  const std::string what = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return BadUsage(what.substr(0, what.find(':')) + ": expected a value, found none");
  }
  if (rest.empty()) return BadUsage(what);
  const std::string word = rest.front().substr(0, rest.front().find('='));
  if (!word.starts_with('-')) return BadUsage("unexpected argument " + ShownText(word));
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) names.push_back(option->get_name());
  }
  const std::string_view near = NearestName(word, {names.begin(), names.end()});
  return BadUsage("unknown flag " + ShownText(word) +
                  (near.empty() ? "" : ", did you mean " + std::string(near) + '?'));
}

// Empty: all of them, or the default.
bool IsNamespace(std::string_view name) { return name.empty() || IsDnsLabel(name); }

// An empty name means all namespaces, as it does for other controllers: it contains every other
// one.
std::optional<std::string> MakeScopes(const Texts& texts, Flags& flags) {
  std::vector<std::string> names = texts.namespaces;
  for (const std::string& name : names) {
    if (!IsNamespace(name))
      return "--namespace: expected the name of a namespace, found " + ShownText(name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.size() > kNamespacesMax) {
    return "--namespace: expected at most " + std::to_string(kNamespacesMax) + " of them, found " +
           std::to_string(names.size()) + "; leave it out to watch all";
  }
  if (names.empty() || names.front().empty()) names = {""};
  flags.scopes.clear();
  for (const std::string& name : names) flags.scopes.push_back({name, texts.selector});
  return std::nullopt;
}

// Two that watch different runs and share a Lease would leave the runs of one to nobody.
std::string OwnLease(const std::vector<WatchScope>& scopes) {
  const std::string name(kProgram);
  std::string watched = scopes.front().selector;
  for (const WatchScope& scope : scopes) watched += '\n' + scope.name_space;
  return watched == "\n" ? name : name + '-' + HexOf(StableHash(watched));
}

std::optional<std::string> NameLease(const Texts& texts, Flags& flags) {
  flags.election_id = texts.election_id.value_or(OwnLease(flags.scopes));
  if (IsObjectName(flags.election_id)) return std::nullopt;
  return "--leader-election-id: expected the name of a Lease (lower-case letters, digits, '-' and "
         "'.', at most 253), found " +
         ShownText(flags.election_id);
}

// What is wrong with the values, or nothing.
std::optional<std::string> TakeTexts(const Texts& texts, Flags& flags) {
  constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warn", "error"};
  constexpr std::array<std::string_view, 2> kFormats = {"text", "json"};
  const auto level = std::find(kLevels.begin(), kLevels.end(), texts.log_level);
  if (level == kLevels.end()) {
    return "--log-level: expected debug, info, warn or error, found " + ShownText(texts.log_level);
  }
  const auto format = std::find(kFormats.begin(), kFormats.end(), texts.log_format);
  if (format == kFormats.end()) {
    return "--log-format: expected text or json, found " + ShownText(texts.log_format);
  }
  flags.log_level = static_cast<LogLevel>(level - kLevels.begin());
  flags.log_format = static_cast<LogFormat>(format - kFormats.begin());
  for (const auto& [name, address] :
       {std::pair{"--metrics-bind-address", &flags.metrics_address},
        std::pair{"--health-probe-bind-address", &flags.probe_address}}) {
    if (*address == kNoServer) continue;
    if (const auto parsed = ParseBindAddress(*address); !parsed) {
      return std::string(name) + ": " + parsed.error().detail;
    }
  }
  if (!flags.metrics_secure && !flags.metrics_certificate_path.empty()) {
    return "--metrics-cert-path: expected --metrics-secure with it";
  }
  if (flags.metrics_secure && flags.metrics_address == flags.probe_address &&
      flags.metrics_address != kNoServer && !flags.metrics_address.ends_with(":0")) {
    return "--metrics-bind-address: with --metrics-secure expected another one than "
           "--health-probe-bind-address has, found " +
           ShownText(flags.metrics_address);
  }
  if (!IsNamespace(flags.election_namespace)) {
    return "--leader-election-namespace: expected the name of a namespace, found " +
           ShownText(flags.election_namespace);
  }
  if (const auto problem = MakeScopes(texts, flags)) return problem;
  return NameLease(texts, flags);
}

}  // namespace

std::variant<Flags, EarlyExit> ParseFlags(int argc, const char* const* argv) {
  Flags flags;
  Texts texts;
  CLI::App app("Watches JobRuns and ends those whose workers are gone.", std::string(kProgram));
  AddOptions(app, flags, texts);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{kExitStopped, app.help()};
  } catch (const CLI::CallForVersion& version) {
    return EarlyExit{kExitStopped, std::string(version.what()) + '\n'};
  } catch (const CLI::ParseError& error) {
    return NotUnderstood(app, error);
  }
  if (const auto problem = TakeTexts(texts, flags)) return BadUsage(*problem);
  return flags;
}

}  // namespace jobrun
