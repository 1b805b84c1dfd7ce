#include "pkg/web/random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "pkg/base/log.h"

namespace fairlead::web {
namespace {

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) == 1) {
    return bytes;
  }
  base::LogError("no random numbers", {{"reason", "RAND_bytes failed; the process ends"}});
  std::abort();
}

}  // namespace

std::string RandomToken(size_t bytes) {
  std::string token;
  absl::WebSafeBase64Escape(RandomBytes(bytes), &token);  // of a string: without padding
  return token;
}

std::string RandomSetupCode() {
  // 32 letters, so that each byte's low five bits choose one evenly; no l, o, 0 and 1.
  constexpr absl::string_view kLetters = "abcdefghijkmnpqrstuvwxyz23456789";
  std::string code;
  for (const char byte : RandomBytes(16)) {
    if (code.size() % 5 == 4) code += '-';
    const size_t index = static_cast<unsigned char>(byte) % kLetters.size();
    code += kLetters[index];
  }
  return code;
}

bool EqualSecrets(absl::string_view left, absl::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace fairlead::web
