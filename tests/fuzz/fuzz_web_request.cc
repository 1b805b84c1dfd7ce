// Bytes of a browser into what the web page reads before anybody has signed in: the cookie, the
// origin and the body of a login; and a file of users.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pkg/web/request.h"
#include "pkg/web/user_store.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fairlead::web;  // NOLINT(google-build-using-namespace)
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::string_view cookie = CookieOf(bytes, "__Host-fairlead");
  if (cookie.size() > 128 || cookie.find(';') != absl::string_view::npos) std::abort();
  const absl::string_view host = bytes.substr(0, size / 2);
  const absl::string_view origin = bytes.substr(size / 2);
  // Who comes from elsewhere is never taken for ours.
  if (!origin.empty() && IsOwnOrigin(origin, host) && origin.size() != host.size() + 8)
    std::abort();
  if (const auto fields = ParseFields(bytes); fields.has_value() && fields->size() > 8)
    std::abort();
  if (const auto users = DecodeUsers(bytes); users.ok()) {
    // What was read is written the same.
    const auto again = DecodeUsers(EncodeUsers(*users));
    for (const User& user : *users) {
      if (!CheckUserName(user.name).ok()) std::abort();
    }
    if (!again.ok() || again->size() != users->size()) std::abort();
  }
  return 0;
}
