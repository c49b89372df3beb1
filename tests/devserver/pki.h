// Certificates for a server that nobody has configured: a CA, a server and a client certificate,
// made at start and kept in memory as PEM.
#pragma once

#include <string>

#include "controller/base/result.h"
#include "controller/base/time.h"

namespace jobrun {

struct Pki {
  std::string ca_certificate{};
  std::string server_certificate{}, server_key{};
  std::string client_certificate{}, client_key{};  // CN=admin, O=system:masters
};

// Valid from a day before `now` for ten years; the server's names are localhost, `host` (an IP
// address), 127.0.0.1 and ::1.
Result<Pki> MakePki(const std::string& host, ServerTime now);

// `bytes` random bytes from the system, in hex.
std::string RandomHex(std::size_t bytes);

[[nodiscard]] std::string Base64(const std::string& bytes);

}  // namespace jobrun
