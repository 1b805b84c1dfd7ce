#include "pkg/web/server.h"

#include <httplib.h>
#include <ifaddrs.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/web/random.h"

namespace fairlead::web {
namespace {

// A connection holds a thread for one request, or until it has said nothing for five seconds:
// browsers like to connect ahead.
constexpr size_t kThreads = 32;
// The certificate's; a host with thousands of VIPs needs no certificate of thousands of names.
constexpr size_t kAddressesMax = 32;

// Of TLS 1.2; all of TLS 1.3's are good. Forward secrecy and authenticated encryption alone.
constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

// The page brings all it needs and includes nothing; nobody frames it.
//
// No Strict-Transport-Security: it would hold for every port of the name (RFC 6797 §8.3), the
// plain HTTP of VIPs behind it too, and here is no plain HTTP that could be attacked.
std::map<std::string, std::string> SecurityHeaders() {
  return {{"Content-Security-Policy",
           "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
           "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
           "require-trusted-types-for 'script'; trusted-types 'none'"},
          {"X-Content-Type-Options", "nosniff"},
          {"X-Frame-Options", "DENY"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Opener-Policy", "same-origin"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"}};
}

// Chooses the newest certificate for each handshake (SSL_CTX_set_cert_cb(3)).
int ChooseCertificate(SSL* ssl, void* keeper) {
  const Certificate certificate = static_cast<CertificateKeeper*>(keeper)->Current();
  if (SSL_use_certificate(ssl, certificate.chain.front().get()) != 1 ||
      SSL_use_PrivateKey(ssl, certificate.key.get()) != 1) {
    return 0;
  }
  for (size_t i = 1; i < certificate.chain.size(); ++i) {
    if (SSL_add1_chain_cert(ssl, certificate.chain[i].get()) != 1) return 0;
  }
  return 1;
}

bool SetUpTls(SSL_CTX& context, CertificateKeeper& keeper) {
  SSL_CTX_set_cert_cb(&context, ChooseCertificate, &keeper);
  SSL_CTX_set_options(&context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  return SSL_CTX_set_min_proto_version(&context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(&context, kCiphers) == 1;
}

std::vector<std::string> HostNames() {
  char name[256] = "";
  ::gethostname(name, sizeof(name) - 1);
  const std::string host = name;
  const bool usable = !host.empty() && host.find_first_not_of(
                                           "abcdefghijklmnopqrstuvwxyz"
                                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789.-") == std::string::npos;
  if (!usable || host == "localhost") return {"localhost"};
  return {host, "localhost"};
}

// Where a browser may find the page.
std::vector<net::IpAddress> AddressesOf(const net::Endpoint& bind) {
  if (!bind.address.is_unspecified()) return {bind.address};
  std::vector<net::IpAddress> addresses;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || addresses.size() == kAddressesMax) continue;
    net::SocketAddress address;
    const int family = entry->ifa_addr->sa_family;
    if (family == AF_INET) {
      address.ipv4 = *reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      address.length = sizeof(address.ipv4);
    } else if (family == AF_INET6) {
      address.ipv6 = *reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      address.length = sizeof(address.ipv6);
    } else {
      continue;
    }
    const absl::StatusOr<net::Endpoint> endpoint = address.ToEndpoint();
    if (endpoint.ok() && !endpoint->address.is_link_local()) addresses.push_back(endpoint->address);
  }
  ::freeifaddrs(list);
  return addresses;
}

absl::Status MakeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return base::LastErrnoStatus(absl::StrCat(
      "web page: mkdir ", path,
      " (it keeps users and certificate; give a writable --state-directory, or --web none)"));
}

WebRequest ToWebRequest(const httplib::Request& request) {
  WebRequest web;
  web.method = request.method;
  web.path = request.path;
  for (const auto& [name, value] : request.params) web.query.emplace(name, value);
  for (const char* name : kRequestHeaders) {
    if (request.has_header(name)) web.headers.emplace(name, request.get_header_value(name));
  }
  web.body = request.body;
  web.client = admin::ClientOf(request);
  return web;
}

void AskForFirstPassword(const net::Endpoint& endpoint, const WebApiOptions& api) {
  const std::string address = absl::StrCat("https://", endpoint.ToString(), "/");
  if (!api.setup_code_file.empty()) {
    base::LogWarning(
        "web page: nobody has set a password yet; open it and use the code of the file",
        {{"address", address}, {"file", api.setup_code_file}});
    return;
  }
  base::LogWarning("web page: nobody has set a password yet; open it and use this code once",
                   {{"address", address}, {"code", api.setup_code}});
}

void Answer(const WebResponse& web, httplib::Response* response) {
  response->status = web.status;
  bool caches = false;
  for (const auto& [name, value] : web.headers) {
    response->set_header(name, value);
    caches = caches || name == "Cache-Control";
  }
  if (!caches) response->set_header("Cache-Control", "no-store");
  if (web.status != 304) response->set_content(web.body, web.content_type);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WebServer>> WebServer::Create(const WebServerOptions& options,
                                                             admin::AdminBackend backend,
                                                             const base::Clock& clock) {
  std::unique_ptr<WebServer> server(new WebServer(std::move(backend)));
  if (absl::Status status = server->Start(options, clock); !status.ok()) return status;
  return server;
}

absl::Status WebServer::Start(const WebServerOptions& options, const base::Clock& clock) {
  if (absl::Status status = MakeDirectory(options.directory); !status.ok()) return status;
  auto users = UserStore::Create(absl::StrCat(options.directory, "/users.json"));
  if (!users.ok()) return users.status();
  users_ = *std::move(users);
  const bool make = options.certificate_from.empty();
  auto certificates =
      CertificateKeeper::Create({.directory = make ? options.directory : options.certificate_from,
                                 .make = make,
                                 .names = HostNames(),
                                 .addresses = AddressesOf(options.bind)},
                                clock);
  if (!certificates.ok()) {
    return absl::Status(certificates.status().code(),
                        absl::StrCat("web page: ", certificates.status().message()));
  }
  certificates_ = *std::move(certificates);
  WebApiOptions api;
  api.setup_code_file = options.setup_code_file;
  if (api.setup_code_file.empty()) api.setup_code = RandomSetupCode();
  api.cookie_name = absl::StrCat(api.cookie_name, "-", options.bind.port);
  api_ = std::make_unique<WebApi>(api, backend_, *users_, clock);
  auto https = std::make_unique<httplib::SSLServer>(
      [this](SSL_CTX& context) { return SetUpTls(context, *certificates_); });
  if (!https->is_valid()) return absl::InternalError("web page: OpenSSL refused the TLS settings");
  auto listener = admin::HttpListener::Create(
      options.bind,
      {.name = "web page",
       .flag = "--web ADDR:PORT, or --web none for no page",
       .threads = kThreads,
       .headers = SecurityHeaders()},
      std::move(https), [this](const httplib::Request& request, httplib::Response& response) {
        Answer(api_->Handle(ToWebRequest(request)), &response);
      });
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  if (users_->IsEmpty()) AskForFirstPassword(endpoint(), api);
  return absl::OkStatus();
}

}  // namespace fairlead::web
