// FileSource: the configuration from a file or a directory of manifests, followed live.
//
//   inotify --> SettleTimer --> ManifestReader --> ManifestStore --> callback
//                    ^ every 5 s as well, in case no event came (network file systems)
//
// One thread. An edit is in force in less than 100 ms: at most 80 ms to settle, the rest to read;
// only the documents that changed are parsed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/base/unique_fd.h"
#include "pkg/source/config_source.h"
#include "pkg/source/manifest_reader.h"
#include "pkg/source/manifest_store.h"
#include "pkg/source/path_watch.h"

namespace fairlead::source {

struct FileSourceOptions {
  // Where the admin API listens whatever the Node says; see model::ValidateTogether.
  std::optional<net::Endpoint> admin;
  // kCluster: to check manifests that are meant for Kubernetes.
  Origin origin = Origin::kFiles;
};

// Reads once and follows nothing. Never fails: an unreadable path is a finding.
std::shared_ptr<const model::DesiredState> ReadOnce(const std::string& path,
                                                    const FileSourceOptions& options = {});

class FileSource final : public ConfigSource {
 public:
  // Errors: the path does not exist or cannot be read, or no thread could be made. Bad manifests
  // are no error: they are findings of the first snapshot. Without inotify the path is read every
  // second, with a warning.
  static absl::StatusOr<std::unique_ptr<FileSource>> Create(const std::string& path,
                                                            const FileSourceOptions& options,
                                                            DesiredStateCallback callback);
  ~FileSource() override;

 private:
  FileSource(const std::string& path, const FileSourceOptions& options,
             DesiredStateCallback callback, base::UniqueFd stop, std::unique_ptr<PathWatch> watch);

  void Run();
  // Waits for events until it is time to read; false: stop.
  bool WaitUntilDue();
  void ReadAndPublish();

  const DesiredStateCallback callback_;
  const base::UniqueFd stop_;  // eventfd: readable = stop
  const base::SystemClock clock_;
  // The rest belongs to the thread.
  const std::unique_ptr<PathWatch> watch_;  // null: no inotify
  ManifestReader reader_;
  ManifestStore store_;
  SettleTimer timer_;
  absl::Duration reread_at_;
  std::shared_ptr<const model::DesiredState> published_;  // null until the first call
  std::thread thread_;
};

}  // namespace fairlead::source
