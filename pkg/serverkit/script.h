// The script that makes a server a real server for direct routing: it owns the VIPs without
// answering ARP or ND for them (guide sections 7.1, 8 and 15.2), or undoes exactly that.
//
//   first lines, made here: what the command line said, as literals
//   the rest, fixed: linux.sh or windows.ps1
//
// Pure. Only checked values get into the first lines, and they are quoted on top of that.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "pkg/serverkit/request.h"

namespace fairlead::serverkit {

// A whole script: POSIX sh for Linux, PowerShell for Windows; ASCII. Errors: those of Check.
absl::StatusOr<std::string> Script(const Request& request);

}  // namespace fairlead::serverkit
