// The part of an HTTP/1 response that a health check needs: the final status line.
//
//   HTTP/1.1 SP 503 SP Service Unavailable CRLF          RFC 9112 §4
//
// Tolerant where real servers differ: HTTP/1.0 and 1.1, a bare LF as line end (RFC 9112 §2.2), a
// missing reason phrase with or without its space, several spaces before the code. Interim
// responses (1xx but 101, RFC 9110 §15.2) are skipped with their headers. Anything else is
// malformed, and is called so with the first byte that shows it: an SSH banner must not wait for a
// line end.
#pragma once

#include "absl/strings/string_view.h"

namespace fairlead::health {

struct HttpResponse {
  enum class Parse { kIncomplete, kMalformed, kComplete };
  Parse parse = Parse::kIncomplete;
  int status = 0;                   // 101 or 200..599 with kComplete
  absl::string_view reason_phrase;  // into the parsed bytes; may be empty
};

// Pure. `bytes` is everything received so far. The caller bounds it (kAnswerBytesMax).
HttpResponse ParseHttpResponse(absl::string_view bytes);

}  // namespace fairlead::health
