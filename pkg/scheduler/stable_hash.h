// StableHash: the same 64 bits for the same input in every process, on every host and after every
// upgrade, as SourceHash and Maglev need (absl::Hash is seeded per process on purpose).
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "pkg/net/ip_address.h"

namespace fairlead::scheduler {

// The finalizer of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators", OOPSLA 2014): every input bit changes every output bit with probability 1/2.
constexpr uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t StableHash(absl::string_view bytes, uint64_t seed = 0);
uint64_t StableHash(const net::IpAddress& address, uint64_t seed = 0);

}  // namespace fairlead::scheduler
