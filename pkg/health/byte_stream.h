// ByteStream: the bytes of a connected socket, plain or through TLS.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fairlead::health {

struct StreamResult {
  // kDone: `bytes` were moved (0 for a handshake). kWant*: try again when the descriptor is
  // readable or writable. kEnd: the real server closed in an orderly way. kFailed: `failure`
  // completes the sentence "<endpoint> ...".
  enum class Kind { kDone, kWantRead, kWantWrite, kEnd, kFailed };
  Kind kind = Kind::kDone;
  size_t bytes = 0;
  std::string failure;

  static StreamResult Moved(size_t bytes) { return {Kind::kDone, bytes, ""}; }
  static StreamResult Of(Kind kind) { return {kind, 0, ""}; }
  static StreamResult Failed(std::string failure) { return {Kind::kFailed, 0, std::move(failure)}; }
};

// One thread. Never blocks. Does not own the descriptor.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual StreamResult Handshake() = 0;
  virtual StreamResult Write(absl::string_view data) = 0;
  virtual StreamResult Read(absl::Span<char> buffer) = 0;
};

}  // namespace fairlead::health
