// Certificate: a key pair and certificate for TLS, made or read. Values; copies share.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/controller/view.h"

namespace fairlead::web {

struct Certificate {
  std::shared_ptr<EVP_PKEY> key;
  std::vector<std::shared_ptr<X509>> chain;  // the leaf first; never empty

  // SHA-256 of the leaf as browsers show it: "AB:CD:...".
  std::string Fingerprint() const;
  absl::Time Expires() const;
  // Signed by its own key, by MakeSelfSigned: may be made anew when it runs out.
  bool IsOurs() const;
};

// A P-256 key and a certificate for 825 days, the longest that Apple's systems trust. For `names`
// and `addresses`; `now` is when it begins, less an hour for clocks that differ.
absl::StatusOr<Certificate> MakeSelfSigned(const std::vector<std::string>& names,
                                           const std::vector<net::IpAddress>& addresses,
                                           absl::Time now);

// PEM. Errors say which of the two is at fault and why; a key that is not the certificate's is one.
absl::StatusOr<Certificate> ParsePem(const std::string& chain, const std::string& key);
std::string ChainToPem(const Certificate& certificate);
std::string KeyToPem(const Certificate& certificate);

}  // namespace fairlead::web
