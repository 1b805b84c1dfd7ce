#include "tests/unit/kube/tls_server.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "pkg/net/endpoint.h"

namespace fairlead::kube {
namespace {

std::string TakePem(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

std::string ToPem(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  return TakePem(bio);
}

std::string ToPem(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  return TakePem(bio);
}

void AddExtension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

std::unique_ptr<X509, OpenSslFree> NewCertificate(const std::string& common_name, EVP_PKEY* key,
                                                  long seconds) {
  static std::atomic<long> serial = 1;
  std::unique_ptr<X509, OpenSslFree> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -7200);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), seconds);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  return certificate;
}

}  // namespace

Authority::Authority() : key_(EVP_EC_gen("P-256")) {
  certificate_ = NewCertificate("test authority", key_.get(), 3600);
  X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
  AddExtension(certificate_.get(), certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(certificate_.get(), key_.get(), EVP_sha256());
  pem_ = ToPem(certificate_.get());
}

Identity Authority::Issue(const std::string& common_name, const std::string& names,
                          long seconds) const {
  const std::unique_ptr<EVP_PKEY, OpenSslFree> key(EVP_EC_gen("P-256"));
  const auto certificate = NewCertificate(common_name, key.get(), seconds);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
  if (!names.empty()) {
    AddExtension(certificate.get(), certificate_.get(), NID_subject_alt_name, names);
  }
  X509_sign(certificate.get(), key_.get(), EVP_sha256());
  return {ToPem(certificate.get()), ToPem(key.get())};
}

std::string ServerConnection::ReadRequest() {
  size_t wanted = std::string::npos;  // the size of the request, once its headers are there
  while (true) {
    const size_t end = read_.find("\r\n\r\n");
    if (end != std::string::npos && wanted == std::string::npos) {
      const std::string head = absl::AsciiStrToLower(read_.substr(0, end));
      const size_t length = head.find("content-length: ");
      int body = 0;
      if (length != std::string::npos) {
        const std::string rest = head.substr(length + 16);
        (void)absl::SimpleAtoi(rest.substr(0, rest.find('\r')), &body);
      }
      wanted = end + 4 + static_cast<size_t>(body);
    }
    if (read_.size() >= wanted) {
      std::string request = read_.substr(0, wanted);
      read_.erase(0, wanted);
      return request;
    }
    pollfd waiting = {socket_, POLLIN, 0};
    while (!stopping_ && SSL_pending(ssl_) == 0 && ::poll(&waiting, 1, 20) == 0) {
    }
    char buffer[16 << 10];
    const int got = stopping_ ? 0 : SSL_read(ssl_, buffer, sizeof(buffer));
    if (got <= 0) return "";
    read_.append(buffer, static_cast<size_t>(got));
  }
}

bool ServerConnection::Write(absl::string_view bytes) {
  return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
}

void ServerConnection::Answer(int status, absl::string_view body, absl::string_view headers) {
  Write(absl::StrCat("HTTP/1.1 ", status, " Something\r\nContent-Length: ", body.size(), "\r\n",
                     headers, "\r\n", body));
}

void ServerConnection::StartChunked() {
  Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

bool ServerConnection::Chunk(absl::string_view bytes) {
  return Write(absl::StrFormat("%x\r\n%s\r\n", bytes.size(), bytes));
}

void ServerConnection::WaitForClose() {
  pollfd waiting = {socket_, POLLRDHUP, 0};
  while (!stopping_ && ::poll(&waiting, 1, 20) == 0) {
  }
}

void ServerConnection::Cut() { ::shutdown(socket_, SHUT_RDWR); }

std::string ServerConnection::client_name() const {
  const std::unique_ptr<X509, OpenSslFree> certificate(SSL_get1_peer_certificate(ssl_));
  if (certificate == nullptr) return "";
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                            sizeof(name));
  return name;
}

std::string ServerConnection::server_name() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

TlsServer::TlsServer(const Identity& identity, Handler handler, const std::string& client_ca,
                     const std::string& address)
    : address_(address),
      handler_(std::move(handler)),
      context_(SSL_CTX_new(TLS_server_method())),
      listener_(::socket(address == "::1" ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const auto read = [](const std::string& pem) {
    return BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  };
  BIO* bio = read(identity.certificate);
  const std::unique_ptr<X509, OpenSslFree> own(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  bio = read(identity.key);
  const std::unique_ptr<EVP_PKEY, OpenSslFree> key(
      PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  EXPECT_EQ(SSL_CTX_use_certificate(context_.get(), own.get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context_.get(), key.get()), 1);
  if (!client_ca.empty()) {
    bio = read(client_ca);
    const std::unique_ptr<X509, OpenSslFree> ca(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
    BIO_free(bio);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), ca.get());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  }
  net::SocketAddress bound(net::Endpoint{*net::IpAddress::Parse(address), 0});
  EXPECT_EQ(::bind(listener_.get(), &bound.generic, bound.length), 0);
  EXPECT_EQ(::listen(listener_.get(), 64), 0);
  bound.length = sizeof(bound.ipv6);
  ::getsockname(listener_.get(), &bound.generic, &bound.length);
  port_ = bound.ToEndpoint()->port;
  thread_ = std::thread([this] { Run(); });
}

TlsServer::~TlsServer() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
  for (std::thread& connection : connections_) connection.join();
}

std::string TlsServer::url() const {
  return address_ == "::1" ? absl::StrCat("https://[::1]:", port_)
                           : absl::StrCat("https://", address_, ":", port_);
}

void TlsServer::Run() {
  while (!stopping_) {
    const int socket = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    ++connections_count_;
    connections_.emplace_back([this, socket] { Serve(socket); });
  }
}

void TlsServer::Serve(int socket) {
  const base::UniqueFd owned(socket);
  const std::unique_ptr<SSL, OpenSslFree> ssl(SSL_new(context_.get()));
  SSL_set_fd(ssl.get(), socket);
  if (SSL_accept(ssl.get()) != 1) return;
  ServerConnection connection(ssl.get(), socket, stopping_);
  handler_(connection);
  SSL_shutdown(ssl.get());
}

}  // namespace fairlead::kube
