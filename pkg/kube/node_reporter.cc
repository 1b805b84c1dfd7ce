#include "pkg/kube/node_reporter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/base/mutex.h"

namespace fairlead::kube {
namespace {

class Reporter final : public NodeReporter {
 public:
  Reporter(ApiClient& client, const base::Clock& clock, const NodeIdentity& identity,
           std::function<NodeReport()> collect)
      : client_(client),
        clock_(clock),
        collect_(std::move(collect)),
        lease_(client, clock, identity),
        status_(client, clock, identity.node),
        events_(client, clock, identity.node) {}

  ~Reporter() override {
    BeginEnd(Ending::kLeave);
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Begin() {
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "thread that writes the status: ", error.what(), "; check the limit of pids"));
    }
    return absl::OkStatus();
  }

  void BeginEnd(Ending ending) override {
    base::MutexLock lock(&mutex_);
    if (!ending_.has_value()) ending_ = ending;
  }

 private:
  void Run() {
    absl::Duration wait = absl::ZeroDuration();
    while (!IsEnding(wait)) {
      const absl::Status status = Turn();
      const bool was_well = problem_.empty();
      if (status.ok()) {
        wait = kInterval;
      } else {
        wait = was_well ? kInterval : std::min(wait * 2, kBackoffMax);
      }
      Tell(status);
    }
    bool withdraws = false;
    {
      base::MutexLock lock(&mutex_);
      withdraws = *ending_ == Ending::kWithdraw;
    }
    if (!withdraws || !problem_.empty()) return;  // the Lease expires
    if (!lease_.is_contested()) {
      status_.Withdraw(collect_().entries, clock_.Monotonic() + kWithdrawMax);
    }
    lease_.Release();
  }

  // Waits; true: it is time to end.
  bool IsEnding(absl::Duration wait) {
    base::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(
        [this] {
          mutex_.AssertHeld();
          return ending_.has_value();
        },
        wait);
  }

  absl::Status Turn() {
    const absl::Status lease = lease_.Turn();
    if (absl::IsUnavailable(lease)) return lease;
    TellLease(lease);
    NodeReport report = collect_();
    for (NodeEvent& event : report.events) events_.Add(std::move(event));
    if (report.is_current) {
      // Of two daemons with one name each would remove what the other one writes.
      if (lease_.is_contested()) {
        std::erase_if(report.entries,
                      [](const WantedEntry& want) { return !want.entry.has_value(); });
      }
      if (absl::Status status = status_.Turn(report.entries); !status.ok()) return status;
    }
    return events_.Turn();
  }

  // A refusal of the Lease keeps nothing else from being written.
  void TellLease(const absl::Status& lease) {
    if (lease.ok() || lease_refusal_ == lease.message()) return;
    lease_refusal_ = std::string(lease.message());
    base::LogWarning("this node has no Lease",
                     {{"server", client_.server()},
                      {"reason", lease_refusal_},
                      {"action",
                       "the VIPs' conditions leave this node out; check the rights on "
                       "leases in its namespace"}});
  }

  // Begin and end of trouble, not each failure.
  void Tell(const absl::Status& status) {
    const std::string problem(status.message());
    if (problem_.empty() && !problem.empty()) {
      base::LogWarning("this node's state is not written to the cluster",
                       {{"server", client_.server()},
                        {"reason", problem},
                        {"action", "clients are served all the same; tried again"}});
    } else if (!problem_.empty() && problem.empty()) {
      base::LogInfo("this node's state is written to the cluster again",
                    {{"server", client_.server()}});
    }
    problem_ = problem;
  }

  ApiClient& client_;
  const base::Clock& clock_;
  const std::function<NodeReport()> collect_;
  // The thread's.
  NodeLease lease_;
  StatusWriter status_;
  EventWriter events_;
  std::string problem_;        // of the last turn
  std::string lease_refusal_;  // the last one, so that it is told once
  base::Mutex mutex_;
  std::optional<Ending> ending_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<NodeReporter>> NodeReporter::Start(
    ApiClient& client, const base::Clock& clock, NodeIdentity identity,
    std::function<NodeReport()> collect) {
  auto reporter = std::make_unique<Reporter>(client, clock, identity, std::move(collect));
  if (absl::Status status = reporter->Begin(); !status.ok()) return status;
  return reporter;
}

}  // namespace fairlead::kube
