#include "pkg/kube/exec_plugin.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "pkg/base/clock.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/unique_fd.h"
#include "pkg/model/suggestion.h"

namespace fairlead::kube {
namespace {

constexpr size_t kOutputBytesMax = 1 << 20;
constexpr size_t kErrorBytesMax = 4 << 10;
constexpr absl::Duration kLook = absl::Milliseconds(50);  // for cancellation and the child's end

using Json = nlohmann::json;

// KUBERNETES_EXEC_INFO.
std::string ExecInfo(const ExecPlugin& plugin, const ClusterAccess& access) {
  Json info = {{"apiVersion", plugin.api_version},
               {"kind", "ExecCredential"},
               {"spec", {{"interactive", false}}}};
  if (plugin.provide_cluster_info) {
    Json cluster = {{"server", access.server},
                    {"insecure-skip-tls-verify", access.insecure_skip_tls_verify}};
    if (!access.tls_server_name.empty()) cluster["tls-server-name"] = access.tls_server_name;
    if (!access.ca.empty()) cluster["certificate-authority-data"] = absl::Base64Escape(access.ca);
    info["spec"]["cluster"] = cluster;
  }
  return info.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The environment of this process with the plugin's variables in front, where they win.
std::vector<std::string> EnvironmentOf(const ExecPlugin& plugin, const ClusterAccess& access) {
  std::vector<std::string> set = {absl::StrCat("KUBERNETES_EXEC_INFO=", ExecInfo(plugin, access))};
  for (const auto& [name, value] : plugin.environment) {
    set.push_back(absl::StrCat(name, "=", value));
  }
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::string name = text.substr(0, text.find('=') + 1);
    const bool is_set = std::any_of(set.begin(), set.end(), [&](const std::string& own) {
      return own.compare(0, name.size(), name) == 0;
    });
    if (!is_set) set.push_back(text);
  }
  return set;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

struct Pipe {
  base::UniqueFd read;
  base::UniqueFd write;
  static absl::StatusOr<Pipe> Create() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return base::LastErrnoStatus("pipe for an exec plugin");
    return Pipe{base::UniqueFd(ends[0]), base::UniqueFd(ends[1])};
  }
};

// A plugin that runs.
struct Child {
  pid_t pid = -1;
  base::UniqueFd output;
  base::UniqueFd errors;
};

absl::StatusOr<Child> Spawn(const ExecPlugin& plugin, const ClusterAccess& access) {
  auto output = Pipe::Create();
  if (!output.ok()) return output.status();
  auto errors = Pipe::Create();
  if (!errors.ok()) return errors.status();
  std::vector<std::string> arguments = {plugin.command};
  arguments.insert(arguments.end(), plugin.arguments.begin(), plugin.arguments.end());
  std::vector<std::string> environment = EnvironmentOf(plugin, access);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output->write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, errors->write.get(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // This process blocks signals and ignores SIGPIPE; the plugin is to know nothing of that.
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigaddset(&signals, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  Child child;
  const int error = ::posix_spawnp(&child.pid, plugin.command.c_str(), &files, &attributes,
                                   Pointers(arguments).data(), Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    const absl::Status status = base::ErrnoStatus(error, "it cannot be started");
    return absl::Status(status.code(),
                        absl::StrCat(status.message(), plugin.install_hint.empty() ? "" : "; ",
                                     model::Printable(plugin.install_hint, 512)));
  }
  child.output = std::move(output->read);
  child.errors = std::move(errors->read);
  return child;
}

// Takes what `fd` has; closes it at its end. False: more than `bytes_max`.
bool TakeBytes(base::UniqueFd& fd, size_t bytes_max, std::string* text) {
  char buffer[4096];
  const ssize_t got = ::read(fd.get(), buffer, sizeof(buffer));
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) {
    fd.Reset();
    return true;
  }
  text->append(buffer, std::min(static_cast<size_t>(got), bytes_max - text->size()));
  return text->size() < bytes_max;
}

// Ok when the plugin ended with 0. Kills what is left of it.
absl::Status Collect(Child& child, absl::Duration timeout, absl::FunctionRef<bool()> cancelled,
                     std::string* output, std::string* errors) {
  const base::SystemClock clock;
  const absl::Duration deadline = clock.Monotonic() + timeout;
  absl::Status verdict;
  int ended = 0;
  bool is_reaped = false;
  while (verdict.ok()) {
    if (cancelled()) verdict = absl::CancelledError("cancelled");
    if (clock.Monotonic() >= deadline) {
      verdict = absl::DeadlineExceededError(
          absl::StrCat("not done after ", absl::FormatDuration(timeout)));
    }
    pollfd waiting[] = {{child.output.get(), POLLIN, 0}, {child.errors.get(), POLLIN, 0}};
    ::poll(waiting, 2, static_cast<int>(absl::ToInt64Milliseconds(kLook)));  // -1 is ignored
    if (waiting[0].revents != 0 && !TakeBytes(child.output, kOutputBytesMax, output)) {
      verdict = absl::UnavailableError("it prints more than 1 MiB");
    }
    if (waiting[1].revents != 0) (void)TakeBytes(child.errors, kErrorBytesMax, errors);
    if (child.output.valid()) continue;
    is_reaped = ::waitpid(child.pid, &ended, WNOHANG) == child.pid;
    if (is_reaped) break;
  }
  if (!is_reaped) {
    ::kill(-child.pid, SIGKILL);
    ::waitpid(child.pid, &ended, 0);
    return verdict;
  }
  if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) return absl::OkStatus();
  return absl::UnavailableError(WIFEXITED(ended)
                                    ? absl::StrCat("it ended with ", WEXITSTATUS(ended))
                                    : absl::StrCat("it was ended by signal ", WTERMSIG(ended)));
}

std::string Text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

absl::StatusOr<ExecCredential> ParseExecCredential(absl::string_view printed,
                                                   const std::string& api_version) {
  const Json json = Json::parse(printed.begin(), printed.end(), nullptr, false);
  if (!json.is_object() || Text(json, "kind") != "ExecCredential") {
    return absl::InvalidArgumentError("it prints no ExecCredential");
  }
  if (Text(json, "apiVersion") != api_version) {
    return absl::InvalidArgumentError(absl::StrCat(
        "it prints apiVersion ", model::Quoted(Text(json, "apiVersion")), ", not ", api_version));
  }
  const auto status = json.find("status");
  if (status == json.end() || !status->is_object()) {
    return absl::InvalidArgumentError("its ExecCredential has no status");
  }
  ExecCredential credential;
  credential.token = Text(*status, "token");
  credential.certificate = Text(*status, "clientCertificateData");
  credential.key = Text(*status, "clientKeyData");
  if (credential.certificate.empty() != credential.key.empty()) {
    return absl::InvalidArgumentError(
        "clientCertificateData and clientKeyData of its ExecCredential need each other");
  }
  if (credential.token.empty() && credential.certificate.empty()) {
    return absl::InvalidArgumentError("its ExecCredential has neither token nor certificate");
  }
  if (const std::string expires = Text(*status, "expirationTimestamp"); !expires.empty()) {
    absl::Time time;
    std::string error;
    if (!absl::ParseTime(absl::RFC3339_full, expires, &time, &error)) {
      return absl::InvalidArgumentError(
          absl::StrCat("expirationTimestamp ", model::Quoted(expires), " is no time"));
    }
    credential.expires = time;
  }
  return credential;
}

absl::StatusOr<ExecCredential> RunExecPlugin(const ExecPlugin& plugin, const ClusterAccess& access,
                                             absl::Duration timeout,
                                             absl::FunctionRef<bool()> cancelled) {
  const std::string who = absl::StrCat("exec plugin ", model::Quoted(plugin.command), ": ");
  auto child = Spawn(plugin, access);
  if (!child.ok()) {
    return absl::Status(child.status().code(), absl::StrCat(who, child.status().message()));
  }
  std::string output;
  std::string errors;
  const absl::Status ran = Collect(*child, timeout, cancelled, &output, &errors);
  if (!ran.ok()) {
    return absl::Status(ran.code(), absl::StrCat(who, ran.message(), errors.empty() ? "" : ": ",
                                                 model::Printable(errors, 512)));
  }
  auto credential = ParseExecCredential(output, plugin.api_version);
  if (!credential.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(who, credential.status().message()));
  }
  return credential;
}

}  // namespace fairlead::kube
