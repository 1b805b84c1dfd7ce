// Real interfaces for a test: a pair of veth in a network namespace of its own thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace fairlead::dataplane::dr {

// What a shell command writes on standard output and error.
std::string OutputOf(const std::string& command);

// Calls `test` on a thread of its own, in a new network namespace with the interface "near", whose
// index it gets, and "far", its other end; both are up. It takes root.
void WithVethPair(const std::function<void(uint32_t near)>& test);

}  // namespace fairlead::dataplane::dr
