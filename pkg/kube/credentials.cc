#include "pkg/kube/credentials.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/kube/exec_plugin.h"
#include "pkg/kube/text_file.h"

namespace fairlead::kube {

absl::StatusOr<std::unique_ptr<Credentials>> Credentials::Create(const ClusterAccess& access,
                                                                 const base::Clock& clock) {
  std::unique_ptr<Credentials> credentials(new Credentials(access, clock));
  base::MutexLock lock(&credentials->mutex_);
  Current& current = credentials->current_;
  current.token = access.token;
  current.tls = {access.ca, access.client_certificate, access.client_key, access.tls_server_name,
                 access.insecure_skip_tls_verify};
  if (absl::Status read = credentials->ReadFiles(); !read.ok()) {
    return absl::Status(read.code(), absl::StrCat(access.origin, ": ", read.message()));
  }
  return credentials;
}

absl::Status Credentials::ReadFiles() {
  read_at_ = clock_.Monotonic();
  absl::Status problem;
  const auto read = [&problem](const std::string& path, std::string* into) {
    if (path.empty()) return;
    auto text = ReadTextFile(path);
    if (text.ok() && absl::StripAsciiWhitespace(*text).empty()) {
      text = absl::InvalidArgumentError(absl::StrCat(path, " is empty"));
    }
    if (text.ok()) {
      *into = *std::move(text);
    } else {
      problem.Update(text.status());
    }
  };
  read(access_.token_file, &current_.token);
  absl::StripAsciiWhitespace(&current_.token);
  read(access_.ca_file, &current_.tls.ca);
  read(access_.client_certificate_file, &current_.tls.certificate);
  read(access_.client_key_file, &current_.tls.key);
  return problem;
}

absl::Status Credentials::RunPlugin(absl::FunctionRef<bool()> cancelled) {
  auto printed = RunExecPlugin(*access_.exec, access_, kExecTimeout, cancelled);
  if (!printed.ok()) {
    run_at_ = clock_.Now() + kExecRetry;
    return printed.status();
  }
  current_.token = printed->token;
  if (!printed->certificate.empty()) {
    current_.tls.certificate = printed->certificate;
    current_.tls.key = printed->key;
  }
  run_at_ = printed->expires.has_value() ? *printed->expires - kExecEarly : absl::InfiniteFuture();
  // One that has expired already must not make it run for each request.
  run_at_ = std::max(run_at_, clock_.Now() + kExecRetry);
  return absl::OkStatus();
}

void Credentials::Tell(const absl::Status& renewed) {
  if (!renewed.ok() && !is_failing_) {
    base::LogWarning("credentials of the API server cannot be renewed",
                     {{"access", access_.origin},
                      {"cause", std::string(renewed.message())},
                      {"action", "the last good ones stay in use; it is tried again"}});
  } else if (renewed.ok() && is_failing_) {
    base::LogInfo("credentials of the API server are renewed again", {{"access", access_.origin}});
  }
  is_failing_ = !renewed.ok();
}

absl::StatusOr<Credentials::Current> Credentials::Get(absl::FunctionRef<bool()> cancelled) {
  base::MutexLock lock(&mutex_);
  if (clock_.Monotonic() - read_at_ >= kCredentialsRead) Tell(ReadFiles());
  if (!access_.exec.has_value() || clock_.Now() < run_at_) {
    if (!plugin_.ok()) return plugin_;
    return current_;
  }
  const bool never_succeeded = run_at_ == absl::InfinitePast() || !plugin_.ok();
  const absl::Status ran = RunPlugin(cancelled);
  if (never_succeeded) {
    plugin_ = ran;
    if (!ran.ok()) return ran;
  } else {
    Tell(ran);
  }
  return current_;
}

Credentials::Current Credentials::read() {
  base::MutexLock lock(&mutex_);
  return current_;
}

void Credentials::Refuse(const std::string& token) {
  base::MutexLock lock(&mutex_);
  if (current_.token != token) return;
  if (!token.empty()) read_at_ = -absl::InfiniteDuration();
  if (access_.exec.has_value()) run_at_ = std::min(run_at_, clock_.Now());
}

}  // namespace fairlead::kube
