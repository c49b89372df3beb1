// OpenSSL's way to a socket: reads ahead, and raises no SIGPIPE.
#pragma once

#include <openssl/bio.h>

#include <cstddef>
#include <memory>

namespace jobrun {

struct BioFree {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;

// Reads from and writes to the non-blocking socket `fd`, which stays the caller's. Reads ahead by
// up to `read_bytes`: OpenSSL asks for a record's five bytes of header first, and its own
// read-ahead moves all that it holds for every record. Sends with MSG_NOSIGNAL, unlike
// BIO_s_socket, so that the process needs no say in what SIGPIPE does (children inherit that).
[[nodiscard]] BioPtr MakeSocketBio(int fd, std::size_t read_bytes);

}  // namespace jobrun
