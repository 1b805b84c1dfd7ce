#include "pkg/kube/credentials.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
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

Credentials::Current Credentials::Get() {
  base::MutexLock lock(&mutex_);
  if (clock_.Monotonic() - read_at_ >= kCredentialsRead) {
    const absl::Status read = ReadFiles();
    if (!read.ok() && !is_failing_) {
      base::LogWarning("credentials of the API server cannot be read again",
                       {{"access", access_.origin},
                        {"cause", std::string(read.message())},
                        {"action", "the last good ones stay in use; read again in 60 s"}});
    } else if (read.ok() && is_failing_) {
      base::LogInfo("credentials of the API server can be read again",
                    {{"access", access_.origin}});
    }
    is_failing_ = !read.ok();
  }
  return current_;
}

void Credentials::Refuse(const std::string& token) {
  base::MutexLock lock(&mutex_);
  if (!token.empty() && current_.token == token) read_at_ = -absl::InfiniteDuration();
}

}  // namespace fairlead::kube
