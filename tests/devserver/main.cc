// jobrun-devserver: a Kubernetes API server in one small process, for demos and tests.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>

#include "controller/base/real_clock.h"
#include "tests/api_model/api_model.h"
#include "tests/devserver/http_host.h"
#include "tests/devserver/pki.h"

namespace jobrun {
namespace {

constexpr int kExitUsage = 2;

// 2026-01-01. Revisions start with the seconds since then: after a restart, which loses everything,
// what clients remember is too old (410, as after a restart of a real server) instead of from the
// future.
constexpr std::chrono::seconds kRevisionEpoch{1'767'225'600};

api_model::Revision FirstRevision(ServerTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  return seconds > kRevisionEpoch
             ? static_cast<api_model::Revision>((seconds - kRevisionEpoch).count())
             : 1;
}

struct Flags {
  std::string dir{};
  std::string listen{"127.0.0.1:0"};
  double bookmark_seconds = 60;
  std::size_t compact_after = 10'000;
  bool plain_http = false;
};

struct HostPort {
  std::string host{};
  std::uint16_t port = 0;
};

// "127.0.0.1:0" or "[::1]:0".
std::optional<HostPort> ParseListen(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  HostPort parsed;
  parsed.host = text.substr(0, colon);
  if (parsed.host.starts_with('[') && parsed.host.ends_with(']')) {
    parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
  }
  const char* end = text.data() + text.size();
  const auto [at, ec] = std::from_chars(text.data() + colon + 1, end, parsed.port);
  if (ec != std::errc() || at != end || parsed.host.empty()) return std::nullopt;
  return parsed;
}

// Written beside and moved into place, readable by its owner only.
Outcome WriteFile(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  const auto failed = [&] {
    return Error{Code::kInvalid, "write " + path, std::strerror(errno)};  // NOLINT: one thread
  };
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return failed();
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  if (!written || ::rename(beside.c_str(), path.c_str()) != 0) return failed();
  return Ok();
}

std::string Kubeconfig(const std::string& url, const Pki* pki, const std::string& token) {
  std::string cluster = "server: \"" + url + "\"";
  if (pki != nullptr) cluster += ", certificate-authority-data: " + Base64(pki->ca_certificate);
  return "apiVersion: v1\nkind: Config\n"
         "clusters: [{name: devserver, cluster: {" +
         cluster +
         "}}]\n"
         "users: [{name: admin, user: {token: " +
         token +
         "}}]\n"
         "contexts: [{name: devserver, context: {cluster: devserver, user: admin}}]\n"
         "current-context: devserver\n";
}

Outcome WriteCredentials(const Flags& flags, const std::string& address, const Pki* pki,
                         const std::string& token) {
  std::error_code error;
  std::filesystem::create_directories(flags.dir, error);
  if (error) return Error{Code::kInvalid, "create " + flags.dir, error.message()};
  std::vector<std::pair<std::string, std::string>> files;
  if (pki != nullptr) {
    files = {{"ca.crt", pki->ca_certificate},
             {"client.crt", pki->client_certificate},
             {"client.key", pki->client_key},
             {"token", token}};
  }
  const std::string url = (pki == nullptr ? "http://" : "https://") + address;
  // The kubeconfig comes last: who waits for it finds the rest.
  files.emplace_back("kubeconfig", Kubeconfig(url, pki, token));
  for (const auto& [name, text] : files) {
    if (auto done = WriteFile(flags.dir + "/" + name, text); !done) return done;
  }
  return Ok();
}

Outcome Serve(const Flags& flags) {
  const auto listen = ParseListen(flags.listen);
  if (!listen) {
    return Error{Code::kInvalid, "read --listen " + flags.listen,
                 "expected ADDRESS:PORT, as 127.0.0.1:0"};
  }
  const ServerTime now = ReadWallClock();
  api_model::ApiModelOptions options;
  options.seed = static_cast<std::uint64_t>(now.time_since_epoch().count());
  options.changes_max = flags.compact_after;
  options.first_revision = FirstRevision(now);
  options.bookmark_period =
      std::chrono::microseconds(static_cast<std::int64_t>(flags.bookmark_seconds * 1e6));
  options.git_version = "v1.36.0+jobrun-devserver-" JOBRUN_VERSION;
  auto model = api_model::ApiModel::Create(std::move(options), now);
  if (!model) return model.error();
  std::optional<Pki> pki;
  if (!flags.plain_http) {
    auto made = MakePki(listen->host, now);
    if (!made) return made.error();
    pki = std::move(made).value();
  }
  HttpHostOptions host_options;
  host_options.host = listen->host;
  host_options.port = listen->port;
  host_options.pki = pki ? &*pki : nullptr;
  host_options.token = RandomHex(16);
  host_options.clock = ReadWallClock;
  auto host = HttpHost::Listen(**model, host_options);
  if (!host) return host.error();
  auto written = WriteCredentials(flags, (*host)->Address(), host_options.pki, host_options.token);
  if (!written) return written;
  std::cout << "ready: export KUBECONFIG=" << std::filesystem::absolute(flags.dir).string()
            << "/kubeconfig" << std::endl;
  (*host)->Run();
  return Ok();
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("A Kubernetes API server in one small process, for demos and tests of JobRun.",
               "jobrun-devserver");
  app.set_version_flag("--version", "jobrun-devserver " JOBRUN_VERSION);
  app.add_option("--dir", flags.dir,
                 "Folder for kubeconfig, ca.crt, client.crt, client.key and token")
      ->required();
  app.add_option("--listen", flags.listen, "Address and port; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--bookmark-seconds", flags.bookmark_seconds,
                 "Time between two bookmarks of a watch")
      ->check(CLI::Range(0.05, 86400.0))
      ->capture_default_str();
  app.add_option("--compact-after", flags.compact_after,
                 "How many changes are kept; watches from before them get 410")
      ->check(CLI::Range(std::size_t{1}, std::size_t{10'000'000}))
      ->capture_default_str();
  app.add_flag("--plain-http", flags.plain_http, "No TLS and no authentication");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  const auto served = Serve(flags);
  if (served) return 0;
  std::cerr << "jobrun-devserver: " << served.error().ToString() << '\n';
  return served.error().code == Code::kInvalid ? kExitUsage : 1;
}

}  // namespace
}  // namespace jobrun

int main(int argc, char** argv) { return jobrun::Main(argc, argv); }
