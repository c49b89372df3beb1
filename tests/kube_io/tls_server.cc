#include "tests/kube_io/tls_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace jobrun::testing {
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::size_t ContentLength(const SeenRequest& request) {
  const std::string value = request.Header("Content-Length");
  return value.empty() ? 0 : std::stoul(value);
}

}  // namespace

std::string SeenRequest::Header(const std::string& name) const {
  const std::string wanted = "\r\n" + Lower(name) + ":";
  const std::size_t at = Lower(head).find(wanted);
  if (at == std::string::npos) return {};
  const std::size_t begin = head.find_first_not_of(' ', at + wanted.size());
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

int ServerConnection::Read(char* into, int size) {
  if (ssl_ == nullptr) return static_cast<int>(recv(fd_, into, static_cast<std::size_t>(size), 0));
  return SSL_read(ssl_, into, size);
}

bool ServerConnection::ReadRequest(SeenRequest& request) {
  char block[4096];
  std::size_t head_end = std::string::npos;
  const auto more = [&] {
    const int got = Read(block, sizeof block);
    if (got > 0) ahead_.append(block, static_cast<std::size_t>(got));
    return got > 0;
  };
  while ((head_end = ahead_.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return false;
  }
  request = {};
  request.connection = number_;
  request.head = ahead_.substr(0, head_end + 2);
  ahead_.erase(0, head_end + 4);
  const std::size_t first = request.head.find(' ');
  request.method = request.head.substr(0, first);
  request.target = request.head.substr(first + 1, request.head.find(' ', first + 1) - first - 1);
  const std::size_t length = ContentLength(request);
  while (ahead_.size() < length) {
    if (!more()) return false;
  }
  request.body = ahead_.substr(0, length);
  ahead_.erase(0, length);
  return true;
}

void ServerConnection::Write(const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const std::size_t left = bytes.size() - sent;
    const int wrote = ssl_ == nullptr
                          ? static_cast<int>(send(fd_, bytes.data() + sent, left, MSG_NOSIGNAL))
                          : SSL_write(ssl_, bytes.data() + sent, static_cast<int>(left));
    if (wrote <= 0) return;
    sent += static_cast<std::size_t>(wrote);
  }
}

void ServerConnection::Answer(int status, const std::string& body, const std::string& headers) {
  Write("HTTP/1.1 " + std::to_string(status) + " Words\r\n" + headers + "Content-Length: " +
        std::to_string(body.size()) + "\r\nContent-Type: application/json\r\n\r\n" + body);
}

void ServerConnection::Reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  if (ssl_ != nullptr) SSL_set_quiet_shutdown(ssl_, 1);
}

std::string ServerConnection::ReadBytes(std::size_t count) {
  char block[4096];
  while (ahead_.size() < count) {
    const int got = Read(block, sizeof block);
    if (got <= 0) break;
    ahead_.append(block, static_cast<std::size_t>(got));
  }
  std::string bytes = ahead_.substr(0, count);
  ahead_.erase(0, bytes.size());
  return bytes;
}

void ServerConnection::TunnelTo(int port) {
  const int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool open = connect(other, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  pollfd ends[] = {{fd_, POLLIN, 0}, {other, POLLIN, 0}};
  char block[4096];
  while (open && poll(ends, 2, -1) > 0) {
    for (int from = 0; from < 2; ++from) {
      if (ends[from].revents == 0) continue;
      const ssize_t got = recv(ends[from].fd, block, sizeof block, 0);
      open = got > 0 &&
             send(ends[1 - from].fd, block, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
      if (!open) break;
    }
  }
  close(other);
}

void ServerConnection::AwaitEnd() {
  char byte = 0;
  while (Read(&byte, 1) > 0) {
  }
}

std::string ServerConnection::ServerName() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

std::string ServerConnection::ClientCertificate() const {
  X509* certificate = SSL_get1_peer_certificate(ssl_);
  if (certificate == nullptr) return {};
  BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
  char* text = BN_bn2hex(number);
  std::string serial = text;
  OPENSSL_free(text);
  BN_free(number);
  X509_free(certificate);
  return serial;
}

TlsServer::TlsServer(Options options, Script script)
    : options_(std::move(options)), script_(std::move(script)) {
  const bool v6 = options_.address.find(':') != std::string::npos;
  sockaddr_storage address{};
  socklen_t size = sizeof(sockaddr_in);
  if (v6) {
    auto* six = reinterpret_cast<sockaddr_in6*>(&address);
    six->sin6_family = AF_INET6;
    inet_pton(AF_INET6, options_.address.c_str(), &six->sin6_addr);
    size = sizeof(sockaddr_in6);
  } else {
    auto* four = reinterpret_cast<sockaddr_in*>(&address);
    four->sin_family = AF_INET;
    inet_pton(AF_INET, options_.address.c_str(), &four->sin_addr);
  }
  listener_ = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, SOMAXCONN) != 0) {
    throw std::runtime_error("can't listen on " + options_.address);
  }
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(v6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  context_ = MakeContext(options_.identity);
  accepter_ = std::thread([this] { Accept(); });
}

TlsServer::~TlsServer() {
  stopping_ = true;
  shutdown(listener_, SHUT_RDWR);
  accepter_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  released_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  close(listener_);
  SSL_CTX_free(context_);
}

SSL_CTX* TlsServer::MakeContext(const Identity& identity) const {
  if (identity.key_pem.empty()) return nullptr;
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  BIO* bio = BIO_new_mem_buf(identity.certificate_pem.data(),
                             static_cast<int>(identity.certificate_pem.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  bio = BIO_new_mem_buf(identity.key_pem.data(), static_cast<int>(identity.key_pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  SSL_CTX_use_certificate(context, certificate);
  SSL_CTX_use_PrivateKey(context, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
  if (options_.client_ca.empty()) return context;
  bio = BIO_new_mem_buf(options_.client_ca.data(), static_cast<int>(options_.client_ca.size()));
  X509* ca = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
  X509_free(ca);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return context;
}

std::string TlsServer::Url() const {
  const bool v6 = options_.address.find(':') != std::string::npos;
  return (options_.identity.key_pem.empty() ? "http://" : "https://") +
         (v6 ? "[" + options_.address + "]" : options_.address) + ":" + std::to_string(port_);
}

void TlsServer::Present(const Identity& identity) {
  SSL_CTX* fresh = MakeContext(identity);
  const std::lock_guard lock(mutex_);
  SSL_CTX_free(std::exchange(context_, fresh));
}

void TlsServer::Accept() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int at_once = 1;  // as API servers do
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    const int number = ++connections_;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd, number] { Serve(fd, number); });
  }
}

void TlsServer::Serve(int fd, int number) {
  // A write to a peer that is gone must not end the test.
  sigset_t pipes;
  sigemptyset(&pipes);
  sigaddset(&pipes, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipes, nullptr);
  SSL* ssl = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (context_ != nullptr) ssl = SSL_new(context_);
  }
  if (ssl != nullptr) SSL_set_fd(ssl, fd);
  if (ssl == nullptr || SSL_accept(ssl) == 1) {
    ServerConnection connection(fd, ssl, number);
    script_(*this, connection);
    if (ssl != nullptr && !stopping_) SSL_shutdown(ssl);
  }
  SSL_free(ssl);
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  close(fd);
}

void TlsServer::Note(SeenRequest request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
}

std::vector<SeenRequest> TlsServer::Requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void TlsServer::Await(int turn) {
  std::unique_lock lock(mutex_);
  released_.wait(lock, [&] { return turns_ >= turn || stopping_; });
}

void TlsServer::Release(int turns) {
  const std::lock_guard lock(mutex_);
  turns_ = turns;
  released_.notify_all();
}

TlsServer::Script AlwaysAnswer(const std::string& body) {
  return [body](TlsServer& server, ServerConnection& connection) {
    SeenRequest request;
    while (connection.ReadRequest(request)) {
      server.Note(request);
      connection.Answer(200, body);
    }
  };
}

}  // namespace jobrun::testing
