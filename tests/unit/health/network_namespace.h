// A thread in a network namespace of its own, with loopback up: for what the host's own network
// cannot be asked for (missing routes, dead neighbours, sysctls, missing capabilities).
#pragma once

#include <functional>
#include <string>

namespace fairlead::health {

// Runs `body` there. False: this process may not (it needs root); the test skips with a reason.
bool RunInNamespace(const std::function<void()>& body);
// Runs a command of the `ip` tool in the calling thread's namespace. True: it worked.
bool Ip(const std::string& arguments);
// Writes a sysctl of the calling thread's namespace: "net/ipv4/ping_group_range".
bool WriteSysctl(const std::string& path, const std::string& value);
// The calling thread gives up CAP_NET_RAW for good.
bool DropNetRaw();

}  // namespace fairlead::health
