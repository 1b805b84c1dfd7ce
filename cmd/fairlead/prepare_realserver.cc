#include "cmd/fairlead/prepare_realserver.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "pkg/model/suggestion.h"
#include "pkg/serverkit/script.h"
#include "pkg/source/file_source.h"

namespace fairlead::cmd {
namespace {

using serverkit::Request;

constexpr FlagSpec kPrepareFlags[] = {
    {"os", "linux|windows", "what the server runs"},
    {"vip", "ADDRESS", "a VIP that the server is to own; may be given several times"},
    {"config", "PATH", "takes the addresses from a VIP object of this file or directory"},
    {"vip-name", "NAME", "which VIP object of --config: NAME or NAMESPACE/NAME"},
    {"interface", "NAME", "the server's LAN interface; default that of its default route"},
    {"persist", "systemd|netplan|ifupdown", "Linux: what survives a reboot; default systemd"},
    {"role", "print", "Windows: a print server, reached by a shared name"},
    {"hostname", "NAME", "the shared name that --role print needs, for example Dispatcher"},
    {"name-resolution", "dns|netbios", "how clients find the shared name; default dns"},
    {"revert", "", "prints the script that undoes the other one"},
};

// A flag of the other operating system does nothing, which its user must hear.
absl::Status FlagsFit(const Flags& flags, const Request& request) {
  const bool is_linux = request.os == serverkit::OperatingSystem::kLinux;
  if (!is_linux && flags.Has("persist")) {
    return absl::InvalidArgumentError(
        "--persist is for --os linux; Windows keeps its settings by itself");
  }
  if (flags.Has("name-resolution") && request.role != serverkit::Role::kPrint) {
    return absl::InvalidArgumentError("--name-resolution is for --role print");
  }
  if (flags.Has("config") != flags.Has("vip-name")) {
    return absl::InvalidArgumentError("--config and --vip-name go together");
  }
  if (!flags.positional().empty()) {
    return absl::InvalidArgumentError(absl::StrCat("unknown argument ",
                                                   model::Quoted(flags.positional().front()),
                                                   "; a VIP is named by --vip"));
  }
  return absl::OkStatus();
}

// Adds the addresses of the VIP object that the flags name. NotFound, or InvalidArgument when two
// namespaces have it.
absl::Status AddAddressesOfObject(const Flags& flags, Request& request) {
  const std::string name = flags.Get("vip-name");
  const auto desired = source::ReadOnce(flags.Get("config"));
  std::vector<const model::Vip*> found;
  std::vector<std::string> names;
  for (const model::Vip& vip : desired->vips) {
    names.push_back(vip.id.QualifiedName());
    if (name == vip.id.name || name == names.back()) found.push_back(&vip);
  }
  if (found.empty() && names.empty() && !desired->findings.empty()) {
    const model::Finding& first = desired->findings.front();
    return absl::NotFoundError(absl::StrCat(flags.Get("config"), " has no valid VIP: ",
                                            first.object, " ", first.field, ": ", first.message));
  }
  if (found.size() != 1) {
    return absl::NotFoundError(absl::StrCat(
        found.empty() ? "no VIP " : "more than one VIP ", model::Quoted(name), " in ",
        flags.Get("config"), "; it has: ", names.empty() ? "none" : absl::StrJoin(names, ", ")));
  }
  for (const net::IpAddress& address : found.front()->addresses) {
    if (std::find(request.vips.begin(), request.vips.end(), address) == request.vips.end()) {
      request.vips.push_back(address);
    }
  }
  return absl::OkStatus();
}

}  // namespace

const CommandSpec kPrepareRealserverCommand = {
    "prepare-realserver", "--os linux|windows --vip ADDRESS [--vip ADDRESS ...] [--revert]",
    "Prints the script that makes a server own a VIP for direct routing, or undoes it.",
    kPrepareFlags};

absl::StatusOr<Request> PrepareRequest(const Flags& flags) {
  Request request;
  if (!flags.Has("os")) return absl::InvalidArgumentError("--os is missing: linux or windows");
  const auto os = serverkit::ParseOperatingSystem(flags.Get("os"));
  if (!os.ok()) return os.status();
  request.os = *os;
  if (flags.Has("revert")) request.action = serverkit::Action::kRevert;
  for (const std::string& text : flags.GetAll("vip")) {
    const auto vip = serverkit::ParseVip(text);
    if (!vip.ok()) return vip.status();
    request.vips.push_back(*vip);
  }
  request.interface = flags.Get("interface");
  if (flags.Has("interface") && request.interface.empty()) {
    return absl::InvalidArgumentError("--interface is empty");
  }
  const auto persistence = serverkit::ParsePersistence(flags.Get("persist", "systemd"));
  if (!persistence.ok()) return persistence.status();
  request.persistence = *persistence;
  if (flags.Has("role") && flags.Get("role") != "print") {
    return absl::InvalidArgumentError(
        absl::StrCat("--role ", model::Quoted(flags.Get("role")), " must be print"));
  }
  if (flags.Has("role")) request.role = serverkit::Role::kPrint;
  request.host_name = flags.Get("hostname");
  const auto resolution = serverkit::ParseNameResolution(flags.Get("name-resolution", "dns"));
  if (!resolution.ok()) return resolution.status();
  request.name_resolution = *resolution;
  if (absl::Status fit = FlagsFit(flags, request); !fit.ok()) return fit;
  return request;
}

int RunPrepareRealserver(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kPrepareRealserverCommand, arguments);
  if (parsed.code >= 0) return parsed.code;
  absl::StatusOr<Request> request = PrepareRequest(parsed.flags);
  if (!request.ok()) return UsageError(kPrepareRealserverCommand, request.status().message());
  if (parsed.flags.Has("config")) {
    const absl::Status added = AddAddressesOfObject(parsed.flags, *request);
    if (!added.ok()) return Failure(kPrepareRealserverCommand, added.message());
  }
  const absl::StatusOr<std::string> script = serverkit::Script(*request);
  if (!script.ok()) return UsageError(kPrepareRealserverCommand, script.status().message());
  absl::PrintF("%s", *script);
  return kExitOk;
}

}  // namespace fairlead::cmd
