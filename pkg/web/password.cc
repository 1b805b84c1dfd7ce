#include "pkg/web/password.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "pkg/web/random.h"

namespace fairlead::web {
namespace {

constexpr size_t kSaltBytes = 16;
constexpr size_t kHashBytes = 32;
constexpr uint64_t kMemoryMax = 256ull << 20;

struct Parameters {
  uint32_t log2_n = 15;
  uint32_t r = 8;
  uint32_t p = 3;
};

// 128 * N * r bytes (RFC 7914 §2).
uint64_t MemoryOf(const Parameters& parameters) {
  return (uint64_t{128} << parameters.log2_n) * parameters.r;
}

absl::StatusOr<std::string> Scrypt(absl::string_view password, const std::string& salt,
                                   const Parameters& parameters) {
  std::string hash(kHashBytes, '\0');
  if (EVP_PBE_scrypt(password.data(), password.size(),
                     reinterpret_cast<const unsigned char*>(salt.data()), salt.size(),
                     uint64_t{1} << parameters.log2_n, parameters.r, parameters.p, 2 * kMemoryMax,
                     reinterpret_cast<unsigned char*>(hash.data()), hash.size()) != 1) {
    return absl::ResourceExhaustedError("scrypt failed: is memory short?");
  }
  return hash;
}

// "ln=15,r=8,p=3"
bool ParseParameters(absl::string_view text, Parameters* parameters) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  if (parts.size() != 3) return false;
  absl::string_view log2_n = parts[0];
  absl::string_view r = parts[1];
  absl::string_view p = parts[2];
  return absl::ConsumePrefix(&log2_n, "ln=") && absl::SimpleAtoi(log2_n, &parameters->log2_n) &&
         absl::ConsumePrefix(&r, "r=") && absl::SimpleAtoi(r, &parameters->r) &&
         absl::ConsumePrefix(&p, "p=") && absl::SimpleAtoi(p, &parameters->p) &&
         parameters->log2_n >= 1 && parameters->log2_n <= 20 && parameters->r >= 1 &&
         parameters->r <= 32 && parameters->p >= 1 && parameters->p <= 16 &&
         MemoryOf(*parameters) <= kMemoryMax;
}

}  // namespace

absl::Status CheckNewPassword(absl::string_view password) {
  if (password.size() < kPasswordBytesMin) {
    return absl::InvalidArgumentError(
        absl::StrCat("the password must have at least ", kPasswordBytesMin, " characters"));
  }
  if (password.size() > kPasswordBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the password must have at most ", kPasswordBytesMax, " characters"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> HashPassword(absl::string_view password) {
  std::string salt(kSaltBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), kSaltBytes) != 1) {
    return absl::InternalError("no random numbers");
  }
  const Parameters parameters;
  const absl::StatusOr<std::string> hash = Scrypt(password, salt, parameters);
  if (!hash.ok()) return hash.status();
  return absl::StrCat("$scrypt$ln=", parameters.log2_n, ",r=", parameters.r, ",p=", parameters.p,
                      "$", absl::Base64Escape(salt), "$", absl::Base64Escape(*hash));
}

bool VerifyPassword(absl::string_view password, absl::string_view hash) {
  const std::vector<absl::string_view> parts = absl::StrSplit(hash, '$');
  Parameters parameters;
  std::string salt;
  std::string wanted;
  if (parts.size() != 5 || !parts[0].empty() || parts[1] != "scrypt" ||
      !ParseParameters(parts[2], &parameters) || !absl::Base64Unescape(parts[3], &salt) ||
      !absl::Base64Unescape(parts[4], &wanted) || wanted.size() != kHashBytes) {
    return false;
  }
  if (password.size() > kPasswordBytesMax) return false;
  const absl::StatusOr<std::string> computed = Scrypt(password, salt, parameters);
  return computed.ok() && EqualSecrets(*computed, wanted);
}

}  // namespace fairlead::web
