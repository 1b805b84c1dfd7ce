#include "pkg/serverkit/request.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/model/names.h"
#include "pkg/model/suggestion.h"

namespace fairlead::serverkit {
namespace {

constexpr size_t kNetBiosNameBytesMax = 15;        // the 16th byte is the kind of the name
constexpr size_t kLinuxInterfaceBytesMax = 15;     // IFNAMSIZ - 1
constexpr size_t kWindowsInterfaceBytesMax = 255;  // IF_MAX_STRING_SIZE - 1

bool IsBroadcast(const net::IpAddress& address) {
  return address.is_ipv4() && std::all_of(address.bytes().begin(), address.bytes().end(),
                                          [](uint8_t byte) { return byte == 0xFF; });
}

absl::Status RoleProblem(const Request& request) {
  const bool is_print = request.role == Role::kPrint;
  if (!is_print && !request.host_name.empty()) {
    return absl::InvalidArgumentError("--hostname is for --role print");
  }
  if (!is_print) return absl::OkStatus();
  if (request.os != OperatingSystem::kWindows) {
    return absl::InvalidArgumentError(
        "--role print is for --os windows; a Linux print server needs no shared name of its own");
  }
  if (request.action == Action::kRevert) return absl::OkStatus();
  if (request.host_name.empty()) {
    return absl::InvalidArgumentError(
        "--role print needs --hostname: the name by which clients reach the VIP");
  }
  const std::string problem = SharedNameProblem(request.host_name);
  if (!problem.empty()) return absl::InvalidArgumentError(absl::StrCat("--hostname ", problem));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OperatingSystem> ParseOperatingSystem(absl::string_view word) {
  if (word == "linux") return OperatingSystem::kLinux;
  if (word == "windows") return OperatingSystem::kWindows;
  return absl::InvalidArgumentError(
      absl::StrCat("--os ", model::Quoted(word), " must be linux or windows"));
}

absl::StatusOr<Persistence> ParsePersistence(absl::string_view word) {
  for (const Persistence value :
       {Persistence::kSystemd, Persistence::kNetplan, Persistence::kIfupdown}) {
    if (word == PersistenceName(value)) return value;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--persist ", model::Quoted(word), " must be systemd, netplan or ifupdown"));
}

absl::StatusOr<NameResolution> ParseNameResolution(absl::string_view word) {
  for (const NameResolution value : {NameResolution::kDns, NameResolution::kNetBios}) {
    if (word == NameResolutionName(value)) return value;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--name-resolution ", model::Quoted(word), " must be dns or netbios"));
}

const char* PersistenceName(Persistence persistence) {
  switch (persistence) {
    case Persistence::kSystemd:
      return "systemd";
    case Persistence::kNetplan:
      return "netplan";
    case Persistence::kIfupdown:
      return "ifupdown";
  }
  return "";
}

const char* NameResolutionName(NameResolution resolution) {
  switch (resolution) {
    case NameResolution::kDns:
      return "dns";
    case NameResolution::kNetBios:
      return "netbios";
  }
  return "";
}

absl::StatusOr<net::IpAddress> ParseVip(absl::string_view text) {
  const absl::StatusOr<net::IpAddress> address = net::IpAddress::Parse(text);
  if (!address.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--vip ", model::Quoted(text),
        " is not an IP address; write one without a prefix: 10.10.10.150 or fd00::150"));
  }
  const char* kind = address->is_unspecified()  ? "the unspecified address"
                     : address->is_loopback()   ? "a loopback address"
                     : address->is_multicast()  ? "a multicast address"
                     : address->is_link_local() ? "a link-local address"
                     : IsBroadcast(*address)    ? "the broadcast address"
                                                : nullptr;
  if (kind == nullptr) return address;
  return absl::InvalidArgumentError(
      absl::StrCat("--vip ", address->ToString(), " is ", kind, "; no VIP can be there"));
}

std::string SharedNameProblem(absl::string_view name) {
  if (absl::StrContains(name, '.')) {
    return absl::StrCat(model::Quoted(name),
                        " has a dot: give the name's first label; the domain comes from DNS");
  }
  if (name.size() > kNetBiosNameBytesMax) {
    return absl::StrCat(model::Quoted(name), " has ", name.size(),
                        " characters; a NetBIOS name has at most ", kNetBiosNameBytesMax);
  }
  if (model::HostNameProblem(name).empty()) return "";
  return absl::StrCat(model::Quoted(name),
                      " is not a host name: 1 to 15 letters, digits and \"-\", with a letter or "
                      "digit at both ends and not a number (RFC 1123)");
}

std::string InterfaceProblem(OperatingSystem os, absl::string_view name) {
  const bool is_linux = os == OperatingSystem::kLinux;
  const auto allowed = [is_linux](char c) {
    if (!is_linux) return absl::ascii_isprint(static_cast<unsigned char>(c));
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  const size_t bytes_max = is_linux ? kLinuxInterfaceBytesMax : kWindowsInterfaceBytesMax;
  const bool ok = !name.empty() && name.size() <= bytes_max && name.front() != '-' && name != "." &&
                  name != ".." && std::all_of(name.begin(), name.end(), allowed);
  if (ok) return "";
  if (is_linux) {
    return absl::StrCat(model::Quoted(name),
                        " is not an interface: 1 to 15 letters, digits, \".\", \"_\" and \"-\", as "
                        "`ip link` shows it");
  }
  return absl::StrCat(model::Quoted(name),
                      " cannot be used: 1 to 255 printable ASCII characters, as Get-NetAdapter "
                      "shows it (Rename-NetAdapter gives an adapter such a name)");
}

absl::Status Check(const Request& request) {
  if (request.vips.empty() && request.action == Action::kApply) {
    return absl::InvalidArgumentError("name the VIP: --vip ADDRESS, or --config and --vip-name");
  }
  if (request.vips.size() > kVipsMax) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", request.vips.size(),
                                                   " VIPs; one script takes at most ", kVipsMax));
  }
  if (const std::set<net::IpAddress> distinct(request.vips.begin(), request.vips.end());
      distinct.size() != request.vips.size()) {
    return absl::InvalidArgumentError("the same --vip is given twice");
  }
  if (!request.interface.empty()) {
    const std::string problem = InterfaceProblem(request.os, request.interface);
    if (!problem.empty()) return absl::InvalidArgumentError(absl::StrCat("--interface ", problem));
  }
  return RoleProblem(request);
}

}  // namespace fairlead::serverkit
