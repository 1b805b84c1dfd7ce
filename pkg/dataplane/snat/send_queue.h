// SendQueue: the received pieces of one direction that wait for the other side to take them. Exists
// only while something waits; pooled by the shard. One thread.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pkg/uring/ring.h"

namespace fairlead::dataplane::snat {

struct SendQueue {
  // Pieces of one sendmsg(2): 32 x 16 KiB is beyond any socket's send buffer at once.
  static constexpr size_t kPiecesPerSend = 32;

  std::vector<uring::BufferSlice> slices;  // from `head` on
  size_t head = 0;
  uint32_t head_sent = 0;  // bytes of the first slice that were sent already
  size_t in_flight = 0;    // pieces of the send that is under way
  uint32_t in_flight_bytes = 0;
  std::array<iovec, kPiecesPerSend> pieces;
  msghdr message;

  bool empty() const { return head == slices.size(); }
  size_t size() const { return slices.size() - head; }
};

// A splice(2) pipe. `bytes` = what is in it now.
struct SplicePipe {
  int read_fd = -1;
  int write_fd = -1;
  uint32_t bytes = 0;
};

}  // namespace fairlead::dataplane::snat
