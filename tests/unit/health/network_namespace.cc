#include "tests/unit/health/network_namespace.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"

namespace fairlead::health {

bool RunInNamespace(const std::function<void()>& body) {
  bool permitted = false;
  // unshare(2) moves only the calling thread.
  std::thread thread([&] {
    permitted = ::unshare(CLONE_NEWNET) == 0 && Ip("link set lo up");
    if (permitted) body();
  });
  thread.join();
  return permitted;
}

bool Ip(const std::string& arguments) {
  return std::system(absl::StrCat("ip ", arguments, " 2>/dev/null").c_str()) == 0;
}

bool WriteSysctl(const std::string& path, const std::string& value) {
  std::ofstream file(absl::StrCat("/proc/sys/", path));
  file << value << std::flush;
  return file.good();
}

bool DropNetRaw() {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  data[0].effective &= ~(1u << CAP_NET_RAW);
  data[0].permitted &= ~(1u << CAP_NET_RAW);
  return ::syscall(SYS_capset, &header, data) == 0;
}

}  // namespace fairlead::health
