#include "pkg/health/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/net/ip_address.h"

namespace fairlead::health {
namespace {

// Takes the first error of this thread's queue and clears the rest.
std::string TakeError() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* text = ERR_reason_error_string(error);
  return text == nullptr ? absl::StrCat("OpenSSL error ", error) : text;
}

// What OpenSSL says when the peer answers in plain text.
bool LooksLikePlainText(absl::string_view error) {
  return absl::StrContains(error, "wrong version number") ||
         absl::StrContains(error, "packet length too long") ||
         absl::StrContains(error, "http request");
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Create() {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr) {
    return absl::InternalError(absl::StrCat("OpenSSL gives no TLS client: ", TakeError()));
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  // Level 0 admits the short keys and TLS 1.0 of old devices (SSL_CTX_set_security_level(3)).
  SSL_CTX_set_security_level(context, 0);
  SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
  // Many servers close without close_notify; an answer that ended so is still an answer.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_LEGACY_SERVER_CONNECT);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  return std::unique_ptr<TlsContext>(new TlsContext(context));
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

absl::StatusOr<std::unique_ptr<ByteStream>> TlsStream::Create(const TlsContext& context, int fd,
                                                              const std::string& server_name) {
  SSL* ssl = SSL_new(context.get());
  if (ssl == nullptr) return absl::InternalError(absl::StrCat("SSL_new: ", TakeError()));
  std::unique_ptr<ByteStream> stream(new TlsStream(ssl));
  if (SSL_set_fd(ssl, fd) != 1) {
    return absl::InternalError(absl::StrCat("SSL_set_fd: ", TakeError()));
  }
  if (!server_name.empty() && SSL_set_tlsext_host_name(ssl, server_name.c_str()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", server_name, "\" cannot be a TLS server name: ", TakeError()));
  }
  SSL_set_connect_state(ssl);
  return stream;
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

StreamResult TlsStream::Handshake() {
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_);
  return returned == 1 ? StreamResult{} : Result(returned, "failed the TLS handshake");
}

StreamResult TlsStream::Write(absl::string_view data) {
  ERR_clear_error();
  const int returned = SSL_write(ssl_, data.data(), static_cast<int>(data.size()));
  if (returned > 0) return StreamResult::Moved(static_cast<size_t>(returned));
  return Result(returned, "broke the TLS connection");
}

StreamResult TlsStream::Read(absl::Span<char> buffer) {
  ERR_clear_error();
  const int returned = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
  if (returned > 0) return StreamResult::Moved(static_cast<size_t>(returned));
  return Result(returned, "broke the TLS connection");
}

StreamResult TlsStream::Result(int returned, absl::string_view doing) {
  const int error = errno;  // before OpenSSL looks at anything else
  using Kind = StreamResult::Kind;
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ:
      return StreamResult::Of(Kind::kWantRead);
    case SSL_ERROR_WANT_WRITE:
      return StreamResult::Of(Kind::kWantWrite);
    case SSL_ERROR_ZERO_RETURN:
      return StreamResult::Of(Kind::kEnd);
    case SSL_ERROR_SYSCALL:
      if (error == 0) return StreamResult::Of(Kind::kEnd);
      if (error == ECONNRESET || error == EPIPE) {
        return StreamResult::Failed("reset the connection");
      }
      return StreamResult::Failed(std::string(base::ErrnoStatus(error, doing).message()));
    default: {
      const std::string text = TakeError();
      return StreamResult::Failed(absl::StrCat(
          doing, ": ", text, LooksLikePlainText(text) ? " (does the port speak plain text?)" : ""));
    }
  }
}

std::string ServerNameOf(absl::string_view http_host) {
  if (absl::StartsWith(http_host, "[") || net::IpAddress::Parse(http_host).ok()) return "";
  const absl::string_view name = http_host.substr(0, http_host.rfind(':'));
  return net::IpAddress::Parse(name).ok() ? "" : std::string(name);
}

}  // namespace fairlead::health
