// Handing the listening sockets (and the table of persistent clients) to a new process without
// losing a SYN (`fairlead run --takeover`).
//
//   old process: HandoverServer on <state directory>/takeover.sock
//   new process: TakeOver::Begin --"fairlead-takeover 1"--> old: sockets by SCM_RIGHTS (unix(7))
//                (builds its plane, applies its first plan, its shards accept)
//                TakeOver::Commit --"ready"--> old: stops accepting, closes its admin port,
//                "released"
//
// Both processes hold the same kernel sockets between the two steps, so the accept queue is served
// all the time. If the new process dies before Commit, the old one goes on as if nothing happened.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pkg/base/unique_fd.h"
#include "pkg/dataplane/snat/listener_set.h"

namespace fairlead::dataplane::snat {

// "<state directory>/takeover.sock".
std::string HandoverPath(const std::string& state_directory);

// One thread. Only a peer of the same user (SO_PEERCRED) or root is served.
class HandoverServer {
 public:
  // `duplicate` gives the sockets; `on_released` runs on this object's thread when the new process
  // is ready: it must stop accepting and close the admin port before it returns, and arrange for
  // this process to drain and exit. Errors: the path cannot be bound (missing or read-only
  // directory).
  static absl::StatusOr<std::unique_ptr<HandoverServer>> Create(
      const std::string& path, std::function<HandedOver()> duplicate,
      std::function<void()> on_released);
  ~HandoverServer();

 private:
  HandoverServer(base::UniqueFd listener, base::UniqueFd stop, std::string path,
                 std::function<HandedOver()> duplicate, std::function<void()> on_released);
  void Run();
  void Serve(int connection);

  base::UniqueFd listener_;
  base::UniqueFd stop_;
  const std::string path_;
  const std::function<HandedOver()> duplicate_;
  const std::function<void()> on_released_;
  bool released_ = false;  // the path belongs to the new process now
  std::thread thread_;
};

// The new process's side.
class TakeOver {
 public:
  // NotFound when no process serves `path` (the message says what to do).
  static absl::StatusOr<std::unique_ptr<TakeOver>> Begin(const std::string& path);

  // The sockets and the persistence table; call once.
  HandedOver Take() { return std::move(handed_over_); }
  // Tells the old process to let go; returns when it has. After an error the caller should stop:
  // the old process may still be accepting.
  absl::Status Commit(absl::Duration timeout);

 private:
  explicit TakeOver(base::UniqueFd connection) : connection_(std::move(connection)) {}

  base::UniqueFd connection_;
  HandedOver handed_over_;
};

}  // namespace fairlead::dataplane::snat
