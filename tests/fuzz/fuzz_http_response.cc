// Bytes of a real server into the HTTP status parser and the dialogue that judges them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pkg/health/http_dialogue.h"
#include "pkg/health/http_response.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using fairlead::health::HttpResponse;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const HttpResponse whole = fairlead::health::ParseHttpResponse(bytes);
  const bool complete = whole.parse == HttpResponse::Parse::kComplete;
  if (complete && (whole.status < 101 || whole.status > 599)) std::abort();
  // A verdict on a beginning stands, whatever follows.
  const HttpResponse half = fairlead::health::ParseHttpResponse(bytes.substr(0, size / 2));
  if (half.parse != HttpResponse::Parse::kIncomplete &&
      (half.parse != whole.parse || half.status != whole.status)) {
    std::abort();
  }
  static const fairlead::health::HttpDialogue dialogue(fairlead::net::Endpoint{},
                                                       fairlead::model::HealthCheck{});
  // The end of the answer always brings an outcome.
  if (size > 0 && !dialogue.Judge(bytes, /*complete=*/true).has_value()) std::abort();
  return 0;
}
