// Request: what a real server's script is to do. Inert; Check says whether it may be printed.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pkg/net/ip_address.h"

namespace fairlead::serverkit {

// One script names at most so many: room for 8 VIPs with all their addresses.
inline constexpr size_t kVipsMax = 64;

enum class OperatingSystem { kLinux, kWindows };
enum class Action { kApply, kRevert };
// Who puts the VIPs back after a reboot of a Linux server.
enum class Persistence { kSystemd, kNetplan, kIfupdown };
// What the server does for its clients: a print server needs the shared name (guide section 8.1).
enum class Role { kAny, kPrint };
// How the clients find the shared name (guide section 8.2).
enum class NameResolution { kDns, kNetBios };

struct Request {
  OperatingSystem os = OperatingSystem::kLinux;
  Action action = Action::kApply;
  std::vector<net::IpAddress> vips;                 // distinct; may be empty for kRevert
  std::string interface;                            // of the LAN; empty = that of the default route
  Persistence persistence = Persistence::kSystemd;  // Linux
  Role role = Role::kAny;                           // Windows
  std::string host_name;                            // kPrint: the shared name
  NameResolution name_resolution = NameResolution::kDns;  // kPrint
};

// Words of the command line: "linux", "systemd", ... Errors list the words that exist.
absl::StatusOr<OperatingSystem> ParseOperatingSystem(absl::string_view word);
absl::StatusOr<Persistence> ParsePersistence(absl::string_view word);
absl::StatusOr<NameResolution> ParseNameResolution(absl::string_view word);
const char* PersistenceName(Persistence persistence);
const char* NameResolutionName(NameResolution resolution);

// An address that a VIP can have: neither unspecified nor loopback, multicast, link-local or
// broadcast. Errors name the text.
absl::StatusOr<net::IpAddress> ParseVip(absl::string_view text);

// "" when the name will do, else what is wrong with it. The shared name is a NetBIOS name and the
// first label of a DNS name: RFC 1123 §2.1, at most 15 bytes (MS-NBTE §2.2.1).
std::string SharedNameProblem(absl::string_view name);
// Linux: dev_valid_name() of net/core/dev.c, and letters, digits, '.', '_', '-' only. Windows: 1 to
// 255 printable ASCII characters.
std::string InterfaceProblem(OperatingSystem os, absl::string_view name);

// InvalidArgument with the first thing that is wrong. Only a request that is OK may be printed.
absl::Status Check(const Request& request);

}  // namespace fairlead::serverkit
