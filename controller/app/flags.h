// The command line of jobrun-controller. Pure.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "controller/app/log_sink.h"
#include "controller/wire/targets.h"

namespace jobrun {

// Exit codes of jobrun-controller; they are interface (README.md).
enum ExitCode : int {
  kExitStopped = 0,
  kExitInternal = 1,
  kExitUsage = 2,      // command line, configuration, a listen address that is taken
  kExitLeaseLost = 3,  // the lease was lost while writes were under way
  kExitCredentials = 4,
};

struct Flags {
  std::string kubeconfig{};
  std::string config{};  // empty: the built-in defaults
  // What to watch, one scope per namespace, none twice; a single one without a namespace for all.
  std::vector<WatchScope> scopes{WatchScope{}};
  std::string metrics_address{":8080"};  // "0": no server
  // HTTPS, and only to those whom the API server lets read them.
  bool metrics_secure{false};
  std::string metrics_certificate_path{};  // a folder; empty: a certificate of our own
  std::string metrics_certificate{"tls.crt"};
  std::string metrics_key{"tls.key"};
  std::string probe_address{":8081"};
  bool leader_elect{false};          // only the holder of a Lease writes; otherwise it always does
  std::string election_namespace{};  // of Lease and canaries; empty: the credentials'
  // The Lease's name. Replicas of one installation watch the same and so agree on it; those that
  // watch something else must not wait for them.
  std::string election_id{"jobrun-controller"};
  LogLevel log_level{LogLevel::kInfo};
  LogFormat log_format{LogFormat::kText};
  bool print_metrics_doc{false};  // for the build of docs/metrics.md; not in --help
};

// The program ends at once: --help and --version (code 0, text for stdout), or bad usage
// (kExitUsage, one line for stderr).
struct EarlyExit {
  int code{0};
  std::string text{};
};

[[nodiscard]] std::variant<Flags, EarlyExit> ParseFlags(int argc, const char* const* argv);

}  // namespace jobrun
