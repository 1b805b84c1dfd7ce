#include "pkg/web/certificate_keeper.h"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/base/replace_file.h"

namespace fairlead::web {
namespace {

constexpr int kFileMode = 0600;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  if (!file) return base::LastErrnoStatus(absl::StrCat("open ", path));
  return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool Exists(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0;
}

}  // namespace

CertificateKeeper::Stamps CertificateKeeper::LookAtFiles() const {
  const auto look = [](const std::string& path) {
    struct stat status;
    if (::stat(path.c_str(), &status) != 0) return Stamp{};
    return Stamp{status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec, status.st_ino};
  };
  return {look(ChainPath()), look(KeyPath())};
}

absl::Status CertificateKeeper::Read() {
  const Stamps stamps = LookAtFiles();
  const absl::StatusOr<std::string> chain = ReadFile(ChainPath());
  if (!chain.ok()) return chain.status();
  const absl::StatusOr<std::string> key = ReadFile(KeyPath());
  if (!key.ok()) return key.status();
  absl::StatusOr<Certificate> parsed = ParsePem(*chain, *key);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(ChainPath(), ", ", KeyPath(), ": ", parsed.status().message()));
  }
  current_ = *std::move(parsed);
  read_ = stamps;
  base::LogInfo(
      "certificate of the web page",
      {{"file", ChainPath()},
       {"sha256", current_.Fingerprint()},
       {"expires", absl::FormatTime(absl::RFC3339_sec, current_.Expires(), absl::UTCTimeZone())}});
  return absl::OkStatus();
}

absl::Status CertificateKeeper::Make() {
  const auto made = MakeSelfSigned(options_.names, options_.addresses, clock_.Now());
  if (!made.ok()) return made.status();
  absl::Status status = base::ReplaceFile(KeyPath(), KeyToPem(*made), kFileMode);
  if (status.ok()) status = base::ReplaceFile(ChainPath(), ChainToPem(*made), kFileMode);
  return status.ok() ? Read() : status;
}

absl::StatusOr<std::unique_ptr<CertificateKeeper>> CertificateKeeper::Create(
    CertificateOptions options, const base::Clock& clock) {
  std::unique_ptr<CertificateKeeper> keeper(new CertificateKeeper(std::move(options), clock));
  base::MutexLock lock(&keeper->mutex_);
  const bool absent = !Exists(keeper->ChainPath()) && !Exists(keeper->KeyPath());
  const bool make = keeper->options_.make && absent;
  if (absl::Status status = make ? keeper->Make() : keeper->Read(); !status.ok()) return status;
  keeper->looked_ = clock.Monotonic();
  return keeper;
}

void CertificateKeeper::Refresh() {
  looked_ = clock_.Monotonic();
  if (options_.make && current_.IsOurs() && current_.Expires() - clock_.Now() < kRenewBefore) {
    if (const absl::Status status = Make(); !status.ok()) {
      base::LogError("certificate of the web page was not renewed",
                     {{"reason", std::string(status.message())}});
    }
    return;
  }
  const Stamps stamps = LookAtFiles();
  if (stamps == read_ || stamps == complained_) return;
  const absl::Status status = Read();
  if (status.ok()) return;
  complained_ = stamps;
  base::LogError("new certificate of the web page is not used; the last good one stays",
                 {{"reason", std::string(status.message())}});
}

Certificate CertificateKeeper::Current() {
  base::MutexLock lock(&mutex_);
  if (clock_.Monotonic() - looked_ >= kLookInterval) Refresh();
  return current_;
}

}  // namespace fairlead::web
