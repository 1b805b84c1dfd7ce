#include "pkg/scheduler/stable_hash.h"

#include <cstring>

namespace fairlead::scheduler {

uint64_t StableHash(absl::string_view bytes, uint64_t seed) {
  uint64_t hash = Mix(seed ^ bytes.size());
  while (!bytes.empty()) {
    uint64_t word = 0;
    const size_t size = bytes.size() < sizeof(word) ? bytes.size() : sizeof(word);
    for (size_t i = 0; i < size; ++i) {  // little-endian whatever the host
      word |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    hash = Mix(hash ^ word);
    bytes.remove_prefix(size);
  }
  return hash;
}

uint64_t StableHash(const net::IpAddress& address, uint64_t seed) {
  const auto bytes = address.bytes();
  return StableHash(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                    seed);
}

}  // namespace fairlead::scheduler
