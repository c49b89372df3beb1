// One request over TLS, for tests: checks nothing about the certificate, but hands it out.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace jobrun {

struct HttpsAnswer {
  std::string subject{};  // of the server's certificate; empty: no handshake
  std::string protocol{};
  std::string text{};  // the whole answer
};

// `max_version`: the newest TLS that the client speaks; 0: what OpenSSL does.
inline HttpsAnswer GetSecurely(std::uint16_t port, const std::string& target,
                               const std::string& headers = {}, int max_version = 0) {
  HttpsAnswer answer;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience{20, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  // Also versions that are out of use: the server must refuse them.
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), 0);
  SSL_CTX_set_max_proto_version(context.get(), max_version);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
  SSL_set_fd(ssl.get(), fd);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      SSL_connect(ssl.get()) == 1) {
    answer.protocol = SSL_get_version(ssl.get());
    X509* const certificate = SSL_get1_peer_certificate(ssl.get());
    std::array<char, 256> subject{};
    X509_NAME_oneline(X509_get_subject_name(certificate), subject.data(), subject.size());
    X509_free(certificate);
    answer.subject = subject.data();
    const std::string request =
        "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + "\r\n";
    SSL_write(ssl.get(), request.data(), static_cast<int>(request.size()));
    std::array<char, 4096> buffer{};
    for (int bytes = 0;
         (bytes = SSL_read(ssl.get(), buffer.data(), static_cast<int>(buffer.size()))) > 0;) {
      answer.text.append(buffer.data(), static_cast<std::size_t>(bytes));
    }
    SSL_shutdown(ssl.get());
  }
  close(fd);
  return answer;
}

}  // namespace jobrun
