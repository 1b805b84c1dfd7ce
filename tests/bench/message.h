// The benchmark's own protocol: requests of a fixed size, answers whose every byte can be checked.
//
//   request (64 bytes)   magic:4 kind:4 size:8 tag:8 | pattern from offset `tag`, up to 64 bytes
//   answer               `size` bytes of the pattern, from offset `tag + 1`
//   download             the same without an end: the client closes when it has had enough
//   upload               the client sends the pattern from offset `tag` without an end; the server
//                        acknowledges each full MiB that it has verified with one byte,
//                        kAcknowledge
//
// The pattern repeats after a prime number of bytes, so that buffers of the usual sizes which a
// proxy mixes up, drops or repeats never verify. Numbers are in host order: both ends are this
// program.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace fairlead::bench {

enum class Kind : uint32_t { kAnswer = 1, kDownload = 2, kUpload = 3 };

struct RequestHeader {
  uint32_t magic;
  Kind kind;
  uint64_t size;  // bytes of the answer; unused by the endless kinds
  uint64_t tag;   // where in the pattern the payloads of this request start
};
static_assert(sizeof(RequestHeader) == 24);

inline constexpr size_t kRequestSize = 64;
inline constexpr size_t kChunkSize = 256 * 1024;  // most bytes handed to one send or recv
inline constexpr uint64_t kAcknowledgedSize = 1024 * 1024;
inline constexpr char kAcknowledge = 'A';

// Of an endless stream the first kVerifiedSize bytes are all verified, then one read in
// kVerifiedInterval; the others are dropped without being copied. Copying and comparing everything
// took a third of the receiver's CPU, so that the generator was slower than a good proxy. Whatever
// is lost, repeated or out of order still shows in the next read that is verified.
inline constexpr uint64_t kVerifiedSize = 64 * 1024 * 1024;
inline constexpr uint64_t kVerifiedInterval = 8;

// Pattern bytes from `offset` on; at least kChunkSize of them may be read.
const char* Pattern(uint64_t offset);

// True if `size` (<= kChunkSize) bytes at `data` are the pattern from `offset` on.
bool IsPattern(const char* data, size_t size, uint64_t offset);

// Receives some bytes of an endless stream, of which `received` have come before: recv(2) with the
// choice above. `buffer` has kChunkSize bytes. Returns recv's result, or -1 with errno EBADMSG if
// the bytes are not the pattern from `offset` on. `reads` counts the calls of this stream.
ssize_t ReceiveStream(int fd, char* buffer, uint64_t received, uint64_t offset, uint64_t* reads);

// Fills `request`, which has kRequestSize bytes.
void WriteRequest(Kind kind, uint64_t size, uint64_t tag, char* request);

// Reads and verifies a whole request; false if any byte of it is wrong.
bool ReadRequest(const char* request, RequestHeader* header);

}  // namespace fairlead::bench
