#include "tests/bench/message.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace fairlead::bench {
namespace {

constexpr uint32_t kMagic = 0x464c4231;  // "FLB1"
constexpr size_t kPeriod = 65521;        // the largest prime below 64 KiB

std::unique_ptr<char[]> MakePattern() {
  const size_t size = kPeriod + kChunkSize;
  auto pattern = std::make_unique<char[]>(size);
  uint64_t state = 0x9e3779b97f4a7c15;  // xorshift64; any fixed seed other than 0 will do
  for (size_t i = 0; i < kPeriod; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    pattern[i] = static_cast<char>(state >> 32);
  }
  for (size_t i = kPeriod; i < size; ++i) pattern[i] = pattern[i - kPeriod];
  return pattern;
}

}  // namespace

const char* Pattern(uint64_t offset) {
  static const std::unique_ptr<char[]> pattern = MakePattern();
  return pattern.get() + offset % kPeriod;
}

bool IsPattern(const char* data, size_t size, uint64_t offset) {
  return std::memcmp(data, Pattern(offset), size) == 0;
}

ssize_t ReceiveStream(int fd, char* buffer, uint64_t received, uint64_t offset, uint64_t* reads) {
  const bool verify = received < kVerifiedSize || ++*reads % kVerifiedInterval == 0;
  // MSG_TRUNC on TCP drops the bytes instead of copying them (tcp(7)).
  const ssize_t size = recv(fd, buffer, kChunkSize, verify ? 0 : MSG_TRUNC);
  if (size > 0 && verify && !IsPattern(buffer, static_cast<size_t>(size), offset)) {
    errno = EBADMSG;
    return -1;
  }
  return size;
}

void WriteRequest(Kind kind, uint64_t size, uint64_t tag, char* request) {
  const RequestHeader header{kMagic, kind, size, tag};
  std::memcpy(request, &header, sizeof(header));
  std::memcpy(request + sizeof(header), Pattern(tag), kRequestSize - sizeof(header));
}

bool ReadRequest(const char* request, RequestHeader* header) {
  std::memcpy(header, request, sizeof(*header));
  return header->magic == kMagic &&
         IsPattern(request + sizeof(*header), kRequestSize - sizeof(*header), header->tag);
}

}  // namespace fairlead::bench
