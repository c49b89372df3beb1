// A program that gives credentials, as `exec` of a kubeconfig's user names it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace jobrun {

struct ExecPlugin {
  // Whether it gets the terminal as its standard input, to ask somebody.
  enum class Terminal : std::uint8_t { kNever, kIfAvailable, kAlways };

  std::string command{};  // a path, or a name that is looked for in $PATH
  std::vector<std::string> arguments{};
  std::vector<std::pair<std::string, std::string>> environment{};  // besides our own
  std::string api_version{};
  std::string install_hint{};  // one line
  Terminal terminal{Terminal::kIfAvailable};
  bool wants_cluster{false};
  std::string cluster_config{};  // JSON, of the cluster's extension; empty: none
  std::string owner{};           // for people: "user \"aws\" of /root/.kube/config"

  // "the credential plugin aws-iam of user \"aws\" of /root/.kube/config".
  [[nodiscard]] std::string Title() const {
    return "the credential plugin " + command + " of " + owner;
  }
};

}  // namespace jobrun
