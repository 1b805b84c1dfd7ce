#include "pkg/serverkit/script.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/serverkit/quote.h"
#include "pkg/serverkit/script_bodies.h"

namespace fairlead::serverkit {
namespace {

std::vector<std::string> AddressesOf(const Request& request, net::IpFamily family) {
  std::vector<std::string> addresses;
  for (const net::IpAddress& vip : request.vips) {
    if (vip.family() == family) addresses.push_back(vip.ToString());
  }
  return addresses;
}

const char* Purpose(const Request& request) {
  return request.action == Action::kRevert
             ? "Undoes what the script of the same command without --revert did to this server."
             : "Makes this host a real server for direct routing: it owns the VIPs below and "
               "answers no ARP\n# or ND request for them (guide sections 7.1 and 15.2).";
}

std::string LinuxScript(const Request& request) {
  const auto words = [&](net::IpFamily family) {
    return ShellQuoted(absl::StrJoin(AddressesOf(request, family), " "));
  };
  return absl::StrCat(
      "#!/bin/sh\n# ", Purpose(request),
      "\n# Run it as root, as often as you like; with --check it only says what is in force.\n"
      "# A UDP service must be bound to the VIP itself: bound to every address, it may answer "
      "from\n"
      "# another one.\nset -eu\n\n",
      "action=", ShellQuoted(request.action == Action::kRevert ? "revert" : "apply"), "\n",
      "vips4=", words(net::IpFamily::kIpv4), "\n", "vips6=", words(net::IpFamily::kIpv6), "\n",
      "interface=", ShellQuoted(request.interface), "  # of the LAN; '' = of the default route\n",
      "persist=", ShellQuoted(PersistenceName(request.persistence)), "\n\n", kLinuxBody);
}

std::string WindowsScript(const Request& request) {
  const auto list = [&](net::IpFamily family) {
    return absl::StrCat("@(",
                        absl::StrJoin(AddressesOf(request, family), ", ",
                                      [](std::string* out, const std::string& address) {
                                        out->append(PowerShellQuoted(address));
                                      }),
                        ")");
  };
  return absl::StrCat(
      "# ", Purpose(request),
      "\n# Run it in an elevated Windows PowerShell, as often as you like:\n"
      "#   powershell -ExecutionPolicy Bypass -File SCRIPT.ps1\n\n",
      "$Action = ", PowerShellQuoted(request.action == Action::kRevert ? "revert" : "apply"), "\n",
      "$Vips4 = ", list(net::IpFamily::kIpv4), "\n", "$Vips6 = ", list(net::IpFamily::kIpv6), "\n",
      "$LanName = ", PowerShellQuoted(request.interface), "  # '' = that of the default route\n",
      "$Role = ", PowerShellQuoted(request.role == Role::kPrint ? "print" : "any"), "\n",
      "$SharedName = ", PowerShellQuoted(request.host_name), "\n",
      "$NameResolution = ", PowerShellQuoted(NameResolutionName(request.name_resolution)), "\n\n",
      kWindowsBody);
}

}  // namespace

absl::StatusOr<std::string> Script(const Request& request) {
  if (absl::Status checked = Check(request); !checked.ok()) return checked;
  switch (request.os) {
    case OperatingSystem::kLinux:
      return LinuxScript(request);
    case OperatingSystem::kWindows:
      return WindowsScript(request);
  }
  return absl::InternalError("no such operating system");
}

}  // namespace fairlead::serverkit
