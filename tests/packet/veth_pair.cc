#include "tests/packet/veth_pair.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"

namespace fairlead::dataplane::dr {

std::string OutputOf(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(absl::StrCat("PATH=$PATH:/usr/sbin:/sbin; ", command, " 2>&1").c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> buffer;
  while (const size_t size = ::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), size);
  }
  ::pclose(pipe);
  return output;
}

void WithVethPair(const std::function<void(uint32_t near)>& test) {
  std::thread([&] {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << std::strerror(errno);
    ASSERT_EQ(OutputOf("ip link add near type veth peer name far; ip link set near up;"
                       " ip link set far up"),
              "");
    test(::if_nametoindex("near"));
  }).join();
}

}  // namespace fairlead::dataplane::dr
