#include "pkg/kube/kept_state.h"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/base/mutex.h"
#include "pkg/base/replace_file.h"

namespace fairlead::kube {
namespace {

class Keeper final : public KeptState {
 public:
  explicit Keeper(const std::string& directory)
      : directory_(directory), path_(absl::StrCat(directory, "/cluster.json")) {}

  ~Keeper() override {
    {
      base::MutexLock lock(&mutex_);
      stop_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start() {
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "thread that keeps the configuration: ", error.what(), "; check the limit of pids"));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Load() const override {
    std::ifstream file(path_, std::ios::binary);
    if (!file) {
      if (errno == ENOENT || errno == ENOTDIR) return "";
      return base::LastErrnoStatus(absl::StrCat("open ", path_));
    }
    std::ostringstream text;
    text << file.rdbuf();
    if (file.bad()) return absl::UnavailableError(absl::StrCat("read ", path_, " failed"));
    return text.str();
  }

  void Save(std::string text) override {
    base::MutexLock lock(&mutex_);
    newest_ = std::move(text);
  }

  const std::string& path() const override { return path_; }

 private:
  void Run() {
    while (true) {
      std::optional<std::string> text;
      {
        base::MutexLock lock(&mutex_);
        mutex_.AwaitWithTimeout(
            [this] {
              mutex_.AssertHeld();
              return stop_ || newest_.has_value();
            },
            absl::InfiniteDuration());
        if (!newest_.has_value()) return;
        text = std::exchange(newest_, std::nullopt);
      }
      Write(*text);
    }
  }

  void Write(const std::string& text) {
    absl::Status status;
    if (::mkdir(directory_.c_str(), 0750) != 0 && errno != EEXIST) {
      status = base::LastErrnoStatus(absl::StrCat("mkdir ", directory_));
    } else {
      status = base::ReplaceFile(path_, text);
    }
    if (!status.ok() && is_written_) {
      base::LogWarning("the configuration is not kept on disk; a restart needs the API server",
                       {{"reason", std::string(status.message())}});
    }
    is_written_ = status.ok();
  }

  const std::string directory_;
  const std::string path_;
  bool is_written_ = true;  // the thread's; the last time, so that a failure is told once
  base::Mutex mutex_;
  std::optional<std::string> newest_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<KeptState>> KeptState::Create(const std::string& directory) {
  auto keeper = std::make_unique<Keeper>(directory);
  if (absl::Status status = keeper->Start(); !status.ok()) return status;
  return keeper;
}

}  // namespace fairlead::kube
