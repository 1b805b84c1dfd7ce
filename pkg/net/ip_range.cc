#include "pkg/net/ip_range.h"

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace fairlead::net {
namespace {

absl::Status Problem(absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", absl::CHexEscape(text.substr(0, 64)), "\" ", what));
}

// `first` with every bit after the first `length` set.
IpAddress LastOfPrefix(const IpAddress& first, int length) {
  std::array<uint8_t, 16> bytes{};
  const size_t width = first.bytes().size();
  for (size_t i = 0; i < width; ++i) {
    const int bits_kept = std::clamp(length - 8 * static_cast<int>(i), 0, 8);
    bytes[i] = first.bytes()[i] | static_cast<uint8_t>(0xff >> bits_kept);
  }
  return IpAddress::FromBytes(absl::MakeConstSpan(bytes.data(), width));
}

absl::StatusOr<IpRange> ParsePrefix(absl::string_view text, size_t slash) {
  const absl::StatusOr<IpAddress> address = IpAddress::Parse(text.substr(0, slash));
  if (!address.ok()) return address.status();
  const absl::string_view digits = text.substr(slash + 1);
  const bool digits_only = !digits.empty() && digits.size() <= 3 &&
                           std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit);
  const int width = 8 * static_cast<int>(address->bytes().size());
  int length = 0;
  if (!digits_only || !absl::SimpleAtoi(digits, &length) || length > width) {
    return Problem(text, absl::StrCat("has no prefix length of 0 to ", width));
  }
  const IpAddress first = address->Masked(length);
  if (first != *address) {
    return Problem(text, absl::StrCat("has bits beyond its prefix; write ", first.ToString(), "/",
                                      length, " for all of it, or one address, or a range a-b"));
  }
  return IpRange{first, LastOfPrefix(first, length)};
}

}  // namespace

absl::StatusOr<IpRange> IpRange::Parse(absl::string_view text) {
  const size_t slash = text.find('/');
  if (slash != absl::string_view::npos) return ParsePrefix(text, slash);
  const size_t dash = text.find('-');
  const absl::StatusOr<IpAddress> first = IpAddress::Parse(text.substr(0, dash));
  if (!first.ok()) return first.status();
  if (dash == absl::string_view::npos) return IpRange{*first, *first};
  const absl::StatusOr<IpAddress> last = IpAddress::Parse(text.substr(dash + 1));
  if (!last.ok()) return last.status();
  if (first->family() != last->family()) {
    return Problem(text, "begins in IPv4 and ends in IPv6, or the other way round");
  }
  if (*first > *last) {
    return Problem(text,
                   absl::StrCat("is reversed; write ", last->ToString(), "-", first->ToString()));
  }
  return IpRange{*first, *last};
}

std::string IpRange::ToString() const {
  return first == last ? first.ToString() : absl::StrCat(first.ToString(), "-", last.ToString());
}

}  // namespace fairlead::net
