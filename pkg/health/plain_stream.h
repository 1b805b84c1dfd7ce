// PlainStream: a ByteStream that is the socket itself.
#pragma once

#include "pkg/health/byte_stream.h"

namespace fairlead::health {

class PlainStream final : public ByteStream {
 public:
  explicit PlainStream(int fd) : fd_(fd) {}

  StreamResult Handshake() override { return {}; }
  StreamResult Write(absl::string_view data) override;
  StreamResult Read(absl::Span<char> buffer) override;

 private:
  const int fd_;
};

}  // namespace fairlead::health
