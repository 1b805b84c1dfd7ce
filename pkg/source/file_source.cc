#include "pkg/source/file_source.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/source/change_log.h"

namespace fairlead::source {
namespace {

constexpr absl::Duration kReread = absl::Seconds(5);
constexpr absl::Duration kRereadWithoutInotify = absl::Seconds(1);
// While the path is missing there may be nothing to watch: its parent may be gone as well.
constexpr absl::Duration kRereadIncomplete = absl::Milliseconds(500);

absl::Status CheckReadable(const std::string& path) {
  if (::access(path.c_str(), R_OK) == 0) return absl::OkStatus();
  const absl::Status status = base::LastErrnoStatus(absl::StrCat("configuration ", path));
  return absl::Status(status.code(), absl::StrCat(status.message(),
                                                  "; give the path of a manifest or of a "
                                                  "directory of manifests with --config"));
}

// Rounded up, so that a due time just ahead is not busily waited for; 0 when it has passed.
int PollTimeoutMs(absl::Duration wait) {
  const absl::Duration rounded = absl::Ceil(wait, absl::Milliseconds(1));
  return static_cast<int>(std::clamp<int64_t>(absl::ToInt64Milliseconds(rounded), 0, 60'000));
}

}  // namespace

std::shared_ptr<const model::DesiredState> ReadOnce(const std::string& path,
                                                    const FileSourceOptions& options) {
  return ManifestStore(options.admin)
      .Merge(ManifestReader(path, options.origin).Read(absl::ZeroDuration()));
}

absl::StatusOr<std::unique_ptr<FileSource>> FileSource::Create(const std::string& path,
                                                               const FileSourceOptions& options,
                                                               DesiredStateCallback callback) {
  if (absl::Status status = CheckReadable(path); !status.ok()) return status;
  base::UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.valid()) return base::LastErrnoStatus("eventfd for the file watcher");
  absl::StatusOr<std::unique_ptr<PathWatch>> watch = PathWatch::Create(path);
  if (!watch.ok()) {
    base::LogWarning("the configuration is read every second instead of being watched",
                     {{"path", path}, {"reason", std::string(watch.status().message())}});
  }
  std::unique_ptr<FileSource> source(new FileSource(path, options, std::move(callback),
                                                    std::move(stop),
                                                    watch.ok() ? *std::move(watch) : nullptr));
  try {
    source->thread_ = std::thread([source = source.get()] { source->Run(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("thread of the file watcher: ", error.what(), "; check the limit of pids"));
  }
  return source;
}

FileSource::FileSource(const std::string& path, const FileSourceOptions& options,
                       DesiredStateCallback callback, base::UniqueFd stop,
                       std::unique_ptr<PathWatch> watch)
    : callback_(std::move(callback)),
      stop_(std::move(stop)),
      watch_(std::move(watch)),
      reader_(path, options.origin),
      store_(options.admin) {}

FileSource::~FileSource() {
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(stop_.get(), &one, sizeof(one));
  if (thread_.joinable()) thread_.join();
}

void FileSource::Run() {
  do {
    ReadAndPublish();
  } while (WaitUntilDue());
}

bool FileSource::WaitUntilDue() {
  while (true) {
    // A change that is settling is not read early because the periodic reading falls into it.
    const absl::Duration settled_at = timer_.due();
    const absl::Duration due = settled_at == absl::InfiniteDuration() ? reread_at_ : settled_at;
    const absl::Duration now = clock_.Monotonic();
    // A negative descriptor is skipped by poll(2).
    pollfd waits[] = {{stop_.get(), POLLIN, 0}, {watch_ ? watch_->fd() : -1, POLLIN, 0}};
    if (::poll(waits, 2, PollTimeoutMs(due - now)) < 0 && errno != EINTR) return false;
    if (waits[0].revents != 0) return false;
    if (waits[1].revents != 0) {
      watch_->Drain(clock_.Monotonic(), &timer_);
    } else if (clock_.Monotonic() >= due) {
      return true;
    }
  }
}

void FileSource::ReadAndPublish() {
  timer_.Reset();
  if (watch_ != nullptr) watch_->Refresh();
  const Reading reading = reader_.Read(clock_.Monotonic());
  const absl::Duration interval = !reading.complete   ? kRereadIncomplete
                                  : watch_ != nullptr ? kReread
                                                      : kRereadWithoutInotify;
  reread_at_ = clock_.Monotonic() + interval;
  std::shared_ptr<const model::DesiredState> state = store_.Merge(reading);
  if (published_ != nullptr && *published_ == *state) return;
  LogChanges(published_ != nullptr ? *published_ : model::DesiredState(), *state);
  published_ = state;
  callback_(std::move(state));
}

}  // namespace fairlead::source
