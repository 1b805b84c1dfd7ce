#include "pkg/source/text_check.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_format.h"

namespace fairlead::source {
namespace {

// The length of the UTF-8 sequence that starts at `offset`, 0 when there is none (RFC 3629 §4).
size_t SequenceLength(absl::string_view text, size_t offset) {
  const auto byte = [&](size_t i) {
    return offset + i < text.size() ? static_cast<uint8_t>(text[offset + i]) : uint8_t{0};
  };
  const auto continues = [&](size_t i, uint8_t lowest = 0x80, uint8_t highest = 0xbf) {
    return byte(i) >= lowest && byte(i) <= highest;
  };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const uint8_t lowest = lead == 0xe0 ? 0xa0 : 0x80;   // not overlong
    const uint8_t highest = lead == 0xed ? 0x9f : 0xbf;  // no surrogates
    return continues(1, lowest, highest) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const uint8_t lowest = lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t highest = lead == 0xf4 ? 0x8f : 0xbf;
    return continues(1, lowest, highest) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

bool IsForbiddenControl(uint8_t byte) {
  return (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f;
}

TextProblem ProblemAt(absl::string_view text, size_t offset, std::string message) {
  TextProblem problem;
  problem.offset = offset;
  const absl::string_view before = text.substr(0, offset);
  problem.line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  const size_t line_start = before.rfind('\n');
  problem.column =
      1 +
      static_cast<int>(line_start == absl::string_view::npos ? offset : offset - line_start - 1);
  problem.message = std::move(message);
  return problem;
}

}  // namespace

std::optional<TextProblem> FindTextProblem(absl::string_view text) {
  for (size_t offset = 0; offset < text.size();) {
    const auto byte = static_cast<uint8_t>(text[offset]);
    if (IsForbiddenControl(byte)) {
      return ProblemAt(text, offset,
                       byte == 0 ? absl::StrFormat("NUL byte at offset %d: this is no text file; "
                                                   "write the manifest as UTF-8 text",
                                                   offset)
                                 : absl::StrFormat("control character 0x%02x at offset %d; remove "
                                                   "it, or write it as \"\\x%02x\" in quotes",
                                                   byte, offset, byte));
    }
    const size_t length = SequenceLength(text, offset);
    if (length == 0) {
      return ProblemAt(text, offset,
                       absl::StrFormat("byte 0x%02x at offset %d is not UTF-8; save the file as "
                                       "UTF-8",
                                       byte, offset));
    }
    offset += length;
  }
  return std::nullopt;
}

}  // namespace fairlead::source
