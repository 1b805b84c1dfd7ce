#include "pkg/kube/http_connection.h"

#include <httplib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <exception>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "pkg/model/suggestion.h"
#include "pkg/net/ip_address.h"

namespace fairlead::kube {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(10);  // of each address of the server
constexpr absl::Duration kSlack = absl::Seconds(5);  // the guard is the one that ends a call
// A peer that vanished without a word is noticed after 30 + 3 x 10 s (tcp(7)).
constexpr int kKeepAliveIdleSeconds = 30;
constexpr int kKeepAliveIntervalSeconds = 10;
constexpr int kKeepAliveProbes = 3;

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct X509Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;
using X509Ptr = std::unique_ptr<X509, X509Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, KeyFree>;

BioPtr Memory(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The first error of this thread's queue; clears the rest.
std::string TakeSslError() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* text = ERR_reason_error_string(error);
  return text == nullptr ? "" : text;
}

std::vector<X509Ptr> ReadCertificates(const std::string& pem) {
  const BioPtr bio = Memory(pem);
  std::vector<X509Ptr> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  ERR_clear_error();  // the end of the text is an error
  return certificates;
}

absl::Status UseAuthorities(SSL_CTX* context, const std::string& pem) {
  if (pem.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return absl::OkStatus();
  }
  const std::vector<X509Ptr> authorities = ReadCertificates(pem);
  if (authorities.empty()) {
    return absl::InvalidArgumentError("the certificate authority holds no PEM certificate");
  }
  for (const X509Ptr& authority : authorities) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
  }
  ERR_clear_error();  // one that stands there twice is no harm
  return absl::OkStatus();
}

absl::Status UseClientCertificate(SSL_CTX* context, const TlsSettings& tls) {
  if (tls.certificate.empty()) return absl::OkStatus();
  std::vector<X509Ptr> chain = ReadCertificates(tls.certificate);
  if (chain.empty()) {
    return absl::InvalidArgumentError("the client certificate holds no PEM certificate");
  }
  const BioPtr bio = Memory(tls.key);
  // No passphrase: nobody is there to type it.
  const KeyPtr key(PEM_read_bio_PrivateKey(
      bio.get(), nullptr, [](char*, int, int, void*) { return 0; }, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("the client key holds no PEM key without passphrase: ", TakeSslError()));
  }
  bool used = SSL_CTX_use_certificate(context, chain.front().get()) == 1 &&
              SSL_CTX_use_PrivateKey(context, key.get()) == 1;
  for (size_t i = 1; used && i < chain.size(); ++i) {
    used = SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
  }
  if (used) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the client certificate cannot be used: ", TakeSslError()));
}

// A duration as the library wants it.
std::pair<time_t, time_t> SecondsAndMicroseconds(absl::Duration duration) {
  const int64_t microseconds = std::max<int64_t>(absl::ToInt64Microseconds(duration), 1);
  return {microseconds / 1'000'000, microseconds % 1'000'000};
}

void SetSocketOptions(int socket) {
  const auto set = [socket](int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof(value));
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

}  // namespace

absl::StatusOr<ServerUrl> ServerUrl::Parse(absl::string_view text) {
  const auto wrong = [text](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("server ", model::Quoted(text), " ", why, "; write it as https://HOST:PORT"));
  };
  ServerUrl url;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "http://")) {
    url.tls = false;
    url.port = 80;
  } else if (!absl::ConsumePrefix(&rest, "https://")) {
    return wrong("is no URL of http or https");
  }
  for (const char c : rest) {
    if (c <= ' ' || c >= 0x7f || c == '?' || c == '#' || c == '@') {
      return wrong("has a character that does not belong there");
    }
  }
  const size_t slash = std::min(rest.find('/'), rest.size());
  url.path_prefix = std::string(absl::StripSuffix(rest.substr(slash), "/"));
  absl::string_view authority = rest.substr(0, slash);
  absl::string_view port;
  if (absl::ConsumePrefix(&authority, "[")) {
    const size_t end = authority.find(']');
    if (end == absl::string_view::npos) return wrong("lacks a bracket");
    url.host = std::string(authority.substr(0, end));
    port = authority.substr(end + 1);
    if (!port.empty() && !absl::ConsumePrefix(&port, ":")) return wrong("has no port after ]");
  } else {
    const size_t colon = authority.find(':');
    url.host = std::string(authority.substr(0, colon));
    if (colon != absl::string_view::npos) port = authority.substr(colon + 1);
  }
  if (url.host.empty()) return wrong("has no host");
  if (!port.empty() && (!absl::SimpleAtoi(port, &url.port) || url.port < 1 || url.port > 65535)) {
    return wrong("has no port of 1 to 65535");
  }
  return url;
}

std::string ServerUrl::HostHeader() const {
  const bool is_ipv6 = absl::StrContains(host, ':');
  const std::string name = is_ipv6 ? absl::StrCat("[", host, "]") : host;
  return port == (tls ? 443 : 80) ? name : absl::StrCat(name, ":", port);
}

struct HttpConnection::Parts {
  ServerUrl url;
  std::string server_name;          // as expected in the certificate
  int verify_result = X509_V_OK;    // of the last handshake
  int socket = -1;                  // of `client`, while the connection is reusable
  CallGuard::Call* call = nullptr;  // the one that runs
  bool used = false;
  bool reusable = true;
  std::unique_ptr<httplib::ClientImpl> client;  // destroyed first: its TLS context points here

  absl::Status SetUpTls(const TlsSettings& tls);
  std::string CauseOf(httplib::Error error, bool connected, bool has_head) const;
  httplib::Result Run(const httplib::Request& request, absl::Duration timeout);
};

namespace {

// OpenSSL's own verification, with its result kept for the message.
int VerifyCertificate(X509_STORE_CTX* store, void* argument) {
  const int verified = X509_verify_cert(store);
  *static_cast<int*>(argument) = X509_STORE_CTX_get_error(store);
  return verified;
}

// At the begin of a handshake: the name that the server is asked for (SNI). The library sends its
// host, also when that is an address (which RFC 6066 §3 forbids) or another name is expected.
void SetServerName(const SSL* ssl, int where, int /*value*/) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
  const auto* name = static_cast<const std::string*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const bool is_address = net::IpAddress::Parse(*name).ok();
  SSL_set_tlsext_host_name(const_cast<SSL*>(ssl),
                           is_address ? nullptr : const_cast<char*>(name->c_str()));
}

}  // namespace

absl::Status HttpConnection::Parts::SetUpTls(const TlsSettings& tls) {
  auto own = std::make_unique<httplib::SSLClient>(url.host, url.port);
  own->enable_server_certificate_verification(false);  // OpenSSL does it, see below
  SSL_CTX* context = own->ssl_context();
  if (context == nullptr) {
    return absl::InternalError(absl::StrCat("OpenSSL gives no TLS client: ", TakeSslError()));
  }
  client = std::move(own);
  server_name = tls.server_name.empty() ? url.host : tls.server_name;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_app_data(context, &server_name);
  SSL_CTX_set_info_callback(context, SetServerName);
  if (!tls.insecure_skip_verify) {
    X509_VERIFY_PARAM* expected = SSL_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const bool is_set =
        net::IpAddress::Parse(server_name).ok()
            ? X509_VERIFY_PARAM_set1_ip_asc(expected, server_name.c_str()) == 1
            : X509_VERIFY_PARAM_set1_host(expected, server_name.c_str(), server_name.size()) == 1;
    if (!is_set) {
      return absl::InvalidArgumentError(
          absl::StrCat(model::Quoted(server_name), " cannot be expected in a certificate"));
    }
    SSL_CTX_set_cert_verify_callback(context, VerifyCertificate, &verify_result);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if (absl::Status used = UseAuthorities(context, tls.ca); !used.ok()) return used;
  }
  return UseClientCertificate(context, tls);
}

// `connected`: a socket was made, so that the name was found.
std::string HttpConnection::Parts::CauseOf(httplib::Error error, bool connected,
                                           bool has_head) const {
  if (verify_result != X509_V_OK) {
    return absl::StrCat(
        "its certificate is not accepted: ", X509_verify_cert_error_string(verify_result),
        " (expected ", model::Quoted(server_name), ")");
  }
  const std::string tls_error = TakeSslError();
  const std::string tls_detail = tls_error.empty() ? "" : absl::StrCat(": ", tls_error);
  switch (error) {
    case httplib::Error::Connection:
      return connected ? "connection refused, or no route to it"
                       : absl::StrCat("its name ", model::Quoted(url.host), " is not found");
    case httplib::Error::ConnectionTimeout:
      return "no answer to the connection request";
    case httplib::Error::SSLConnection:
      return absl::StrCat("the TLS handshake failed", tls_detail);
    case httplib::Error::Read:
      return has_head ? absl::StrCat("the answer was cut off", tls_detail)
                      : absl::StrCat("it closed the connection without an answer", tls_detail);
    case httplib::Error::Write:
      return absl::StrCat("the request was cut off", tls_detail);
    default:
      return absl::StrCat(httplib::to_string(error), tls_detail);
  }
}

httplib::Result HttpConnection::Parts::Run(const httplib::Request& request,
                                           absl::Duration timeout) {
  const auto [connect_seconds, connect_microseconds] =
      SecondsAndMicroseconds(std::min(timeout, kConnectTimeout));
  client->set_connection_timeout(connect_seconds, connect_microseconds);
  const auto [seconds, microseconds] = SecondsAndMicroseconds(timeout + kSlack);
  client->set_read_timeout(seconds, microseconds);
  client->set_write_timeout(seconds, microseconds);
  ERR_clear_error();
  return client->send(request);
}

HttpConnection::HttpConnection(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
HttpConnection::~HttpConnection() = default;
bool HttpConnection::reusable() const { return parts_->reusable; }
bool HttpConnection::used() const { return parts_->used; }

absl::StatusOr<std::unique_ptr<HttpConnection>> HttpConnection::Create(const ServerUrl& url,
                                                                       const TlsSettings& tls) {
  try {
    auto parts = std::make_unique<Parts>();
    parts->url = url;
    if (url.tls) {
      if (absl::Status set = parts->SetUpTls(tls); !set.ok()) return set;
    } else {
      parts->client = std::make_unique<httplib::ClientImpl>(url.host, url.port);
    }
    parts->client->set_keep_alive(true);
    parts->client->set_url_encode(false);  // targets are encoded already
    parts->client->set_socket_options([own = parts.get()](int socket) {
      SetSocketOptions(socket);
      own->socket = socket;
      if (own->call != nullptr) own->call->Watch(socket);
    });
    return std::unique_ptr<HttpConnection>(new HttpConnection(std::move(parts)));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("the HTTP client failed: ", error.what()));
  }
}

absl::Status HttpConnection::Exchange(const ApiRequest& request, const Headers& headers,
                                      CallGuard::Call& call,
                                      absl::FunctionRef<void(const Head&)> on_head,
                                      absl::FunctionRef<bool(absl::string_view)> on_body) {
  bool has_head = false;
  bool had_enough = false;
  parts_->call = &call;
  if (parts_->socket >= 0) call.Watch(parts_->socket);  // replaced when the library reconnects
  parts_->verify_result = X509_V_OK;
  parts_->reusable = false;
  std::string cause;
  try {
    httplib::Request sent;
    sent.method = request.method;
    sent.path = parts_->url.path_prefix + request.target;
    sent.body = request.body;
    for (const auto& [name, value] : headers) sent.headers.emplace(name, value);
    sent.headers.emplace("Host", parts_->url.HostHeader());
    sent.response_handler = [&](const httplib::Response& response) {
      has_head = true;
      on_head({response.status, response.get_header_value("Retry-After")});
      return true;
    };
    sent.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
      had_enough = !on_body(absl::string_view(data, size));
      return !had_enough;
    };
    const httplib::Result result = parts_->Run(sent, call.remaining());
    parts_->reusable = static_cast<bool>(result) && has_head && !had_enough &&
                       !absl::EqualsIgnoreCase(result->get_header_value("Connection"), "close");
    if (!result && !had_enough) {
      cause = parts_->CauseOf(result.error(), parts_->socket >= 0, has_head);
    }
  } catch (const std::exception& error) {
    cause = absl::StrCat("the HTTP client failed: ", error.what());
  }
  parts_->call = nullptr;
  parts_->used = true;
  if (!parts_->reusable) parts_->socket = -1;
  return cause.empty() ? absl::OkStatus() : absl::UnavailableError(cause);
}

}  // namespace fairlead::kube
