#include "tests/bench/loadserver/connection.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace jobrun::bench {
namespace {

// What net/http buffers before it writes: initial events, which are not flushed one by one, come in
// records of this size. An event that is flushed by itself is smaller, and a record of its own.
constexpr long kRecordBytes = 4096;
constexpr std::size_t kReadBytes = 16 * 1024;

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

// The number after "content-length:" in a head; the client writes it in this case or that.
std::size_t ContentLength(std::string_view head) {
  std::string lower(head);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  constexpr std::string_view kName = "\r\ncontent-length:";
  std::size_t at = lower.find(kName);
  if (at == std::string::npos) return 0;
  at = lower.find_first_not_of(' ', at + kName.size());
  std::size_t length = 0;
  std::from_chars(lower.data() + at, lower.data() + lower.size(), length);
  return length;
}

}  // namespace

// Reads from the socket directly, and writes into the connection's buffer, so that the records of
// many events go out with one call.
struct ConnectionBio {
  static Connection& Of(BIO* bio) { return *static_cast<Connection*>(BIO_get_data(bio)); }

  static int Write(BIO* bio, const char* data, int size) {
    Of(bio).out_.append(data, static_cast<std::size_t>(size));
    return size;
  }
  static int Read(BIO* bio, char* into, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t got = recv(Of(bio).fd_, into, static_cast<std::size_t>(size), 0);
    if (got < 0 && WouldBlock()) BIO_set_retry_read(bio);
    return static_cast<int>(got);
  }
  static long Control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
  static BIO* Make(Connection& connection) {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "load server");
      BIO_meth_set_write(made, &Write);
      BIO_meth_set_read(made, &Read);
      BIO_meth_set_ctrl(made, &Control);
      return made;
    }();
    BIO* bio = BIO_new(method);
    BIO_set_data(bio, &connection);
    BIO_set_init(bio, 1);
    return bio;
  }
};

std::string_view HttpRequest::Parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return pair.substr(name.size() + 1);
    }
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
  }
  return {};
}

Connection::Connection(int fd, SSL_CTX* context) : fd_(fd), ssl_(SSL_new(context)) {
  BIO* bio = ConnectionBio::Make(*this);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
}

Connection::~Connection() {
  ssl_.reset();
  close(fd_);
}

bool Connection::Read() {
  std::array<char, kReadBytes> buffer;  // NOLINT: filled by the read
  while (!failed_) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &got);
    if (result == 1) {
      in_.append(buffer.data(), got);
      continue;
    }
    const int why = SSL_get_error(ssl_.get(), result);
    return (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) && Flush();
  }
  return false;
}

std::optional<HttpRequest> Connection::NextRequest() {
  const std::size_t head_end = in_.find("\r\n\r\n");
  if (head_end == std::string::npos) return std::nullopt;
  const std::string_view head = std::string_view(in_).substr(0, head_end);
  const std::size_t length = ContentLength(head);
  const std::size_t whole = head_end + 4 + length;
  if (in_.size() < whole) return std::nullopt;
  HttpRequest request;
  const std::size_t method_end = head.find(' ');
  const std::size_t target_end = head.find(' ', method_end + 1);
  request.method = head.substr(0, method_end);
  const std::string_view target = head.substr(method_end + 1, target_end - method_end - 1);
  const std::size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  request.body = in_.substr(head_end + 4, length);
  in_.erase(0, whole);
  return request;
}

void Connection::Write(std::string_view text) {
  if (failed_ || text.empty()) return;
  ERR_clear_error();
  std::size_t written = 0;
  failed_ = SSL_write_ex(ssl_.get(), text.data(), text.size(), &written) != 1;
}

bool Connection::Flush() {
  while (!failed_ && sent_ < out_.size()) {
    const ssize_t sent = send(fd_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0 && WouldBlock()) break;
    failed_ = sent <= 0;
    if (failed_) break;
    sent_ += static_cast<std::size_t>(sent);
    bytes_sent_ += static_cast<std::uint64_t>(sent);
  }
  if (sent_ == out_.size() || sent_ > std::size_t{1} << 20U) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  return !failed_;
}

SslContext MakeServerContext(const std::string& certificate, const std::string& key) {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  BIO* const certificate_text =
      BIO_new_mem_buf(certificate.data(), static_cast<int>(certificate.size()));
  BIO* const key_text = BIO_new_mem_buf(key.data(), static_cast<int>(key.size()));
  X509* const x509 = PEM_read_bio_X509(certificate_text, nullptr, nullptr, nullptr);
  EVP_PKEY* const pkey = PEM_read_bio_PrivateKey(key_text, nullptr, nullptr, nullptr);
  const bool good = context != nullptr && x509 != nullptr && pkey != nullptr &&
                    SSL_CTX_use_certificate(context.get(), x509) == 1 &&
                    SSL_CTX_use_PrivateKey(context.get(), pkey) == 1;
  X509_free(x509);
  EVP_PKEY_free(pkey);
  BIO_free(certificate_text);
  BIO_free(key_text);
  if (!good) return nullptr;
  // Go's first choice where the processor has AES instructions.
  SSL_CTX_set_ciphersuites(
      context.get(), "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
  SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_max_send_fragment(context.get(), kRecordBytes);
  return context;
}

}  // namespace jobrun::bench
