// An API server of tests: HTTP/1.1 by TLS on loopback, with an authority that is made in memory,
// answering what a test says, byte by byte if it wants. Real sockets, real handshakes.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "pkg/base/mutex.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::kube {

struct OpenSslFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

// A certificate with its key, PEM.
struct Identity {
  std::string certificate;
  std::string key;
};

// A certificate authority.
class Authority {
 public:
  Authority();
  const std::string& certificate() const { return pem_; }
  // `names`: a subjectAltName of OpenSSL ("IP:127.0.0.1,DNS:kube.test"), "" = a client's.
  // `seconds`: until it expires; below 0 it did.
  Identity Issue(const std::string& common_name, const std::string& names,
                 long seconds = 3600) const;

 private:
  std::unique_ptr<EVP_PKEY, OpenSslFree> key_;
  std::unique_ptr<X509, OpenSslFree> certificate_;
  std::string pem_;
};

// One connection, after its handshake, on a thread of its own.
class ServerConnection {
 public:
  ServerConnection(SSL* ssl, int socket, const std::atomic<bool>& stopping)
      : ssl_(ssl), socket_(socket), stopping_(stopping) {}

  // The next request with its headers and body; "" when the client closed.
  std::string ReadRequest();
  // False: the client is gone.
  bool Write(absl::string_view bytes);
  // A response with a Content-Length. `headers` end in CRLF each.
  void Answer(int status, absl::string_view body, absl::string_view headers = "");
  void StartChunked();  // a 200
  bool Chunk(absl::string_view bytes);
  void EndChunked() { Write("0\r\n\r\n"); }
  // Until the client closes, or the server stops.
  void WaitForClose();
  // Both directions, without close_notify.
  void Cut();
  std::string client_name() const;  // the common name of the client's certificate, "" = none
  std::string server_name() const;  // SNI, "" = none

 private:
  SSL* const ssl_;
  const int socket_;
  const std::atomic<bool>& stopping_;
  std::string read_;
};

class TlsServer {
 public:
  using Handler = std::function<void(ServerConnection&)>;
  // `client_ca` "" = no client certificate is asked for. `address`: 127.0.0.1 or ::1.
  TlsServer(const Identity& identity, Handler handler, const std::string& client_ca = "",
            const std::string& address = "127.0.0.1");
  ~TlsServer();

  int port() const { return port_; }
  std::string url() const;
  int connections_count() const { return connections_count_; }

 private:
  void Run();
  void Serve(int socket);

  const std::string address_;
  const Handler handler_;
  std::unique_ptr<SSL_CTX, OpenSslFree> context_;
  base::UniqueFd listener_;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_count_ = 0;
  std::vector<std::thread> connections_;
  std::thread thread_;
};

}  // namespace fairlead::kube
