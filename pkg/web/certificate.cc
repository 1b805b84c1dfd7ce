#include "pkg/web/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace fairlead::web {
namespace {

constexpr char kOrganization[] = "Fairlead, self-signed";
constexpr int kDays = 825;
constexpr size_t kChainMax = 10;

// The library's own words, and its queue empty again.
absl::Status CryptoError(const std::string& what) {
  char reason[256] = "no reason given";
  if (const unsigned long code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, reason, sizeof(reason));
  }
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", reason));
}

std::shared_ptr<X509> Own(X509* certificate) { return {certificate, X509_free}; }
std::shared_ptr<EVP_PKEY> Own(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }
std::shared_ptr<BIO> Own(BIO* bio) { return {bio, BIO_free_all}; }

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return length > 0 ? std::string(data, static_cast<size_t>(length)) : "";
}

bool AddExtension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::shared_ptr<X509_EXTENSION> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), X509_EXTENSION_free);
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetName(X509_NAME* name, const char* field, const std::string& value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool SetSerial(X509* certificate) {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof(bytes)) != 1) return false;
  bytes[0] &= 0x7F;  // positive (RFC 5280 §4.1.2.2)
  const std::shared_ptr<BIGNUM> number(BN_bin2bn(bytes, sizeof(bytes), nullptr), BN_free);
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

std::string AlternativeNames(const std::vector<std::string>& names,
                             const std::vector<net::IpAddress>& addresses) {
  std::vector<std::string> parts;
  for (const std::string& name : names) parts.push_back(absl::StrCat("DNS:", name));
  for (const net::IpAddress& address : addresses) {
    parts.push_back(absl::StrCat("IP:", address.ToString()));
  }
  return absl::StrJoin(parts, ",");
}

bool Fill(X509* certificate, EVP_PKEY* key, const std::vector<std::string>& names,
          const std::vector<net::IpAddress>& addresses, absl::Time now) {
  const time_t begin = absl::ToTimeT(now - absl::Hours(1));
  const time_t end = absl::ToTimeT(now + absl::Hours(24 * kDays - 1));
  X509_NAME* name = X509_get_subject_name(certificate);
  return X509_set_version(certificate, 2) == 1 && SetSerial(certificate) &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), begin) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), end) != nullptr &&
         SetName(name, "O", kOrganization) &&
         SetName(name, "CN", names.empty() ? "fairlead" : names.front().substr(0, 64)) &&
         X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
         AddExtension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         AddExtension(certificate, NID_key_usage, "critical,digitalSignature") &&
         AddExtension(certificate, NID_ext_key_usage, "serverAuth") &&
         AddExtension(certificate, NID_subject_alt_name, AlternativeNames(names, addresses)) &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

// Nobody is there to be asked for a passphrase.
int NoPassphrase(char*, int, int, void*) { return 0; }

}  // namespace

std::string Certificate::Fingerprint() const {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (X509_digest(chain.front().get(), EVP_sha256(), digest, &length) != 1) return "";
  std::string text;
  for (unsigned int i = 0; i < length; ++i) {
    absl::StrAppendFormat(&text, "%s%02X", i == 0 ? "" : ":", digest[i]);
  }
  return text;
}

absl::Time Certificate::Expires() const {
  std::tm end = {};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(chain.front().get()), &end) != 1) {
    return absl::InfinitePast();
  }
  return absl::FromTM(end, absl::UTCTimeZone());
}

bool Certificate::IsOurs() const {
  char organization[64] = "";
  X509_NAME_get_text_by_NID(X509_get_issuer_name(chain.front().get()), NID_organizationName,
                            organization, sizeof(organization));
  return std::string(organization) == kOrganization;
}

absl::StatusOr<Certificate> MakeSelfSigned(const std::vector<std::string>& names,
                                           const std::vector<net::IpAddress>& addresses,
                                           absl::Time now) {
  const std::shared_ptr<EVP_PKEY> key = Own(EVP_EC_gen("P-256"));
  const std::shared_ptr<X509> certificate = Own(X509_new());
  if (key == nullptr || certificate == nullptr ||
      !Fill(certificate.get(), key.get(), names, addresses, now)) {
    return CryptoError("cannot make a certificate");
  }
  return Certificate{key, {certificate}};
}

absl::StatusOr<Certificate> ParsePem(const std::string& chain, const std::string& key) {
  Certificate parsed;
  const auto chain_bio = Own(BIO_new_mem_buf(chain.data(), static_cast<int>(chain.size())));
  while (parsed.chain.size() < kChainMax) {
    auto one = Own(PEM_read_bio_X509(chain_bio.get(), nullptr, NoPassphrase, nullptr));
    if (one == nullptr) break;
    parsed.chain.push_back(std::move(one));
  }
  if (parsed.chain.empty()) return CryptoError("no certificate in PEM");
  ERR_clear_error();  // the end of the text is an error to the library
  const auto key_bio = Own(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())));
  parsed.key = Own(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, NoPassphrase, nullptr));
  if (parsed.key == nullptr) return CryptoError("no private key in PEM without a passphrase");
  if (X509_check_private_key(parsed.chain.front().get(), parsed.key.get()) != 1) {
    return CryptoError("the key is not the certificate's");
  }
  return parsed;
}

std::string ChainToPem(const Certificate& certificate) {
  const auto bio = Own(BIO_new(BIO_s_mem()));
  for (const auto& one : certificate.chain) PEM_write_bio_X509(bio.get(), one.get());
  return TextOf(bio.get());
}

std::string KeyToPem(const Certificate& certificate) {
  const auto bio = Own(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), certificate.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return TextOf(bio.get());
}

}  // namespace fairlead::web
