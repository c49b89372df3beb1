// Certificates made at test start.
#pragma once

#include <string>
#include <vector>

namespace jobrun::testing {

struct Identity {
  std::string certificate_pem;
  std::string key_pem;
};

// The certificate's serial number, hex.
[[nodiscard]] std::string SerialOf(const Identity& identity);

struct LeafOptions {
  std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};  // DNS names and addresses
  long not_before_seconds{-3600};                                   // from now
  long not_after_seconds{3600};
};

// A CA of its own for every call.
class TestCa {
 public:
  explicit TestCa(const std::string& name = "test CA");
  [[nodiscard]] const std::string& pem() const { return identity_.certificate_pem; }
  [[nodiscard]] Identity Issue(const LeafOptions& options = {}) const;

 private:
  Identity identity_;
};

}  // namespace jobrun::testing
