#include "pkg/net/mac_address.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fairlead::net {

std::string MacText(const MacAddress& mac) {
  return absl::StrFormat("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                         mac[5]);
}

absl::StatusOr<MacAddress> ParseMac(absl::string_view text) {
  constexpr size_t kTextSize = 17;  // 6 pairs and 5 separators
  const auto refuse = [text] {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text,
                     "\" is no MAC address; write six pairs of hexadecimal digits, "
                     "like 02:00:5e:10:00:01"));
  };
  if (text.size() != kTextSize) return refuse();
  MacAddress mac{};
  for (size_t i = 0; i < mac.size(); ++i) {
    const absl::string_view digits = text.substr(i * 3, 2);
    uint32_t value = 0;
    // The number parser would take a sign or a space for a digit's place.
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(digits[0])) ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(digits[1])) ||
        !absl::SimpleHexAtoi(digits, &value)) {
      return refuse();
    }
    if (i > 0 && (text[i * 3 - 1] != text[2] || (text[2] != ':' && text[2] != '-'))) {
      return refuse();
    }
    mac[i] = static_cast<uint8_t>(value);
  }
  return mac;
}

}  // namespace fairlead::net
