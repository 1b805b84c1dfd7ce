// Frames of anybody on the network into the parser of answers to checks along direct routing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "pkg/health/direct_answer.h"
#include "pkg/net/ip_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using fairlead::health::DirectAnswer;
  const absl::Span<const uint8_t> bytes(data, size);
  const auto frame = fairlead::net::ParseIpFrame(bytes);
  if (frame) {
    if (frame->source.family() != frame->destination.family()) std::abort();
    if (frame->payload.data() < data || frame->payload.end() > data + size) std::abort();
  }
  const auto answer = fairlead::health::ParseDirectAnswer(bytes);
  if (!answer) return 0;
  if (!frame || answer->mac != frame->source_mac) std::abort();
  // What is sent back is a frame to whoever asked for it.
  if (answer->kind != DirectAnswer::Kind::kSynAck) return 0;
  const auto reset = fairlead::health::BuildDirectReset(*answer);
  const auto sent = fairlead::net::ParseIpFrame(reset);
  if (!sent || sent->destination_mac != answer->mac || sent->destination != frame->source) {
    std::abort();
  }
  return 0;
}
