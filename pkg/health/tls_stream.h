// TlsStream: a ByteStream through TLS, as a client (OpenSSL over the non-blocking socket).
//
// The certificate is not verified and old protocol versions are accepted: the question is whether
// the service answers, and the printers and appliances behind a VIP carry self-signed, expired and
// 1,024-bit certificates. This is appliance practice; no secret is ever sent.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "pkg/health/byte_stream.h"

struct ssl_ctx_st;  // SSL_CTX
struct ssl_st;      // SSL

namespace fairlead::health {

// The settings that all TLS probes share. One thread. Outlives its streams.
class TlsContext {
 public:
  static absl::StatusOr<std::unique_ptr<TlsContext>> Create();
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* get() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* const context_;
};

// Writes go out with write(2): the calling thread blocks or ignores SIGPIPE.
class TlsStream final : public ByteStream {
 public:
  // `server_name` (SNI) may be empty.
  static absl::StatusOr<std::unique_ptr<ByteStream>> Create(const TlsContext& context, int fd,
                                                            const std::string& server_name);
  ~TlsStream() override;

  StreamResult Handshake() override;
  StreamResult Write(absl::string_view data) override;
  StreamResult Read(absl::Span<char> buffer) override;

 private:
  explicit TlsStream(ssl_st* ssl) : ssl_(ssl) {}
  StreamResult Result(int returned, absl::string_view doing);

  ssl_st* const ssl_;
};

// The SNI for a Host header value: its name without a port; empty for an IP address, which RFC 6066
// §3 does not allow there.
std::string ServerNameOf(absl::string_view http_host);

}  // namespace fairlead::health
