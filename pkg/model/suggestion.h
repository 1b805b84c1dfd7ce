// "did you mean": the known word that is nearest to an unknown one; and how a user's text is quoted
// in a message.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fairlead::model {

// The candidate that differs from `text` in case only; else the one with the smallest edit
// distance, when that is small enough to be a slip (a third of the word, at most 3 changes); else
// the first one that begins like `text` ("konica"), give or take one letter; "" when there is none.
// The first one wins a tie.
absl::string_view NearestWord(absl::string_view text,
                              absl::Span<const absl::string_view> candidates);

// "; did you mean \"ports\"?" or "".
std::string DidYouMean(absl::string_view text, absl::Span<const absl::string_view> candidates);

// `text` with control characters escaped and cut after `bytes_max` bytes ("..."), so that a hostile
// value can neither fill nor steer a terminal.
std::string Printable(absl::string_view text, size_t bytes_max);

// `text` in double quotes, printable, at most 64 bytes of it.
std::string Quoted(absl::string_view text);

}  // namespace fairlead::model
