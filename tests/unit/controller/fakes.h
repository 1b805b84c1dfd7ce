// Fakes for the controller's boundaries: time, the data plane, the health monitor, the resolver.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/arp/arp_watch.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/health/health_monitor.h"
#include "pkg/model/desired_state.h"
#include "pkg/resolver/name_resolver.h"

namespace fairlead::controller {

class FakeClock final : public base::Clock {
 public:
  absl::Time Now() const override { return start_ + passed_; }
  absl::Duration Monotonic() const override { return absl::Seconds(1000) + passed_; }
  void Advance(absl::Duration time) { passed_ += time; }

 private:
  const absl::Time start_ = absl::FromUnixSeconds(1'800'000'000);
  absl::Duration passed_;
};

// Remembers the plans; answers as it is told. Thread-safe.
class FakeDataPlane final : public dataplane::DataPlane {
 public:
  dataplane::ApplyResult Apply(std::shared_ptr<const dataplane::ForwardingPlan> plan) override {
    base::MutexLock lock(&mutex_);
    plans_.push_back(plan);
    dataplane::ApplyResult result;
    result.revision = plan->revision;
    for (const auto& service : plan->services) {
      dataplane::ServiceOutcome outcome;
      outcome.service_id = service->id;
      outcome.status = service->name == failing_service_ ? failure_ : absl::OkStatus();
      if (service->direct_part == dataplane::DirectPart::kForward)
        outcome.direct_status = direct_failure_;
      for (const auto& address : service->addresses) {
        outcome.addresses.push_back({address, interface_});
      }
      result.services.push_back(outcome);
    }
    return result;
  }
  dataplane::PlaneObservation Observe() const override {
    base::MutexLock lock(&mutex_);
    dataplane::PlaneObservation observation = observation_;
    observation.engine = "fake";
    if (!plans_.empty()) observation.applied_revision = plans_.back()->revision;
    return observation;
  }
  absl::StatusOr<dataplane::Explanation> Explain(const net::Endpoint&,
                                                 const net::Endpoint& vip) const override {
    if (vip.port != 80) return absl::NotFoundError("no such service");
    dataplane::Explanation explanation;
    explanation.server = "srv-1";
    explanation.server_endpoint = *net::Endpoint::Parse("10.0.1.1:80");
    explanation.reason = "it is the only one";
    return explanation;
  }
  void Stop(absl::Duration) override {}

  void FailService(const std::string& name, absl::Status failure) {
    base::MutexLock lock(&mutex_);
    failing_service_ = name;
    failure_ = std::move(failure);
  }
  // Of every service in mode Auto that is to be forwarded.
  void FailDirect(absl::Status failure) {
    base::MutexLock lock(&mutex_);
    direct_failure_ = std::move(failure);
  }
  void SetInterface(const std::string& interface) {
    base::MutexLock lock(&mutex_);
    interface_ = interface;
  }
  void SetObservation(dataplane::PlaneObservation observation) {
    base::MutexLock lock(&mutex_);
    observation_ = std::move(observation);
  }
  std::vector<std::shared_ptr<const dataplane::ForwardingPlan>> plans() const {
    base::MutexLock lock(&mutex_);
    return plans_;
  }

 private:
  mutable base::Mutex mutex_;
  std::vector<std::shared_ptr<const dataplane::ForwardingPlan>> plans_ ABSL_GUARDED_BY(mutex_);
  std::string failing_service_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  absl::Status direct_failure_ ABSL_GUARDED_BY(mutex_);
  std::string interface_ ABSL_GUARDED_BY(mutex_) = "eth0";
  dataplane::PlaneObservation observation_ ABSL_GUARDED_BY(mutex_);
};

class FakeHealth final : public health::HealthMonitor {
 public:
  void SetTargets(std::vector<health::ProbeTarget> targets) override {
    base::MutexLock lock(&mutex_);
    targets_ = std::move(targets);
    ++set_count_;
  }
  std::vector<health::HealthReport> Snapshot() const override {
    base::MutexLock lock(&mutex_);
    return snapshot_;
  }

  void SetSnapshot(std::vector<health::HealthReport> snapshot) {
    base::MutexLock lock(&mutex_);
    snapshot_ = std::move(snapshot);
  }
  std::vector<health::ProbeTarget> targets() const {
    base::MutexLock lock(&mutex_);
    return targets_;
  }
  std::vector<std::string> target_ids() const {
    std::vector<std::string> ids;
    for (const health::ProbeTarget& target : targets()) ids.push_back(target.id);
    return ids;
  }
  int set_count() const {
    base::MutexLock lock(&mutex_);
    return set_count_;
  }

 private:
  mutable base::Mutex mutex_;
  std::vector<health::ProbeTarget> targets_ ABSL_GUARDED_BY(mutex_);
  std::vector<health::HealthReport> snapshot_ ABSL_GUARDED_BY(mutex_);
  int set_count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Remembers the names; answers come from the test.
class FakeResolver final : public resolver::NameResolver {
 public:
  void SetNames(const std::vector<resolver::WantedName>& names) override {
    base::MutexLock lock(&mutex_);
    names_.clear();
    for (const auto& [name, urgent] : names) names_.push_back(name + (urgent ? "!" : ""));
  }
  // An urgent one has an exclamation mark behind.
  std::vector<std::string> names() const {
    base::MutexLock lock(&mutex_);
    return names_;
  }

 private:
  mutable base::Mutex mutex_;
  std::vector<std::string> names_ ABSL_GUARDED_BY(mutex_);
};

// Remembers what is watched; rounds come from the test.
class FakeArp final : public arp::ArpWatch {
 public:
  void SetVips(std::vector<arp::WatchedVip> vips) override {
    base::MutexLock lock(&mutex_);
    vips_ = std::move(vips);
  }
  std::vector<arp::WatchedVip> vips() const {
    base::MutexLock lock(&mutex_);
    return vips_;
  }

 private:
  mutable base::Mutex mutex_;
  std::vector<arp::WatchedVip> vips_ ABSL_GUARDED_BY(mutex_);
};

// VIP default/web on 10.0.0.1:80,443 with srv-1.. on 10.0.1.1..
inline model::Vip MakeVip(int server_count, const std::string& name = "web") {
  model::Vip vip;
  vip.id = {model::ObjectKind::kVip, "default", name};
  vip.location = {"web.yaml", 1, 1};
  vip.addresses = {*net::IpAddress::Parse("10.0.0.1")};
  vip.ports = *net::PortSet::Parse("80,443");
  vip.health_check.port = 80;
  for (int i = 1; i <= server_count; ++i) {
    model::InlineServer server;
    server.name = absl::StrCat("srv-", i);
    server.spec.address = *net::IpAddress::Parse(absl::StrCat("10.0.1.", i));
    vip.inline_servers.push_back(server);
  }
  return vip;
}

inline health::HealthReport MakeReport(const std::string& target_id, model::OperationalState state,
                                       const std::string& reason, bool unreachable = false) {
  health::HealthReport report;
  report.target_id = target_id;
  report.state = state;
  report.reason = reason;
  report.unreachable = unreachable;
  report.checked = absl::FromUnixSeconds(1'800'000'000);
  return report;
}

}  // namespace fairlead::controller
