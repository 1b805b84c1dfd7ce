#include "cmd/fairlead/process_setup.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"

namespace fairlead::cmd {

absl::StatusOr<base::UniqueFd> SetUpSignals() {
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  if (::sigaction(SIGPIPE, &ignore, nullptr) != 0) return base::LastErrnoStatus("ignore SIGPIPE");
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return base::LastErrnoStatus("block SIGTERM and SIGINT");
  }
  base::UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return base::LastErrnoStatus("signalfd");
  return fd;
}

std::string RaiseDescriptorLimit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return "";
  const rlim_t soft = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  const bool raised = ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
  const rlim_t in_force = raised ? limit.rlim_max : soft;
  base::LogInfo("descriptor limit",
                {{"in_force", absl::StrCat(in_force)}, {"before", absl::StrCat(soft)}});
  // 4,096 descriptors serve about 2,000 clients; less is a mistake of the service manager.
  constexpr rlim_t kLow = 4096;
  if (in_force >= kLow) return "";
  return absl::StrCat("only ", in_force,
                      " descriptors (RLIMIT_NOFILE): each connection takes two. "
                      "Raise the hard limit (ulimit -Hn, LimitNOFILE=, docker --ulimit nofile=)");
}

}  // namespace fairlead::cmd
