#include "cmd/fairlead/daemon.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cmd/fairlead/version.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/log.h"
#include "pkg/controller/explain.h"
#include "pkg/controller/metrics.h"
#include "pkg/doctor/cloud.h"
#include "pkg/resolver/host_lookup.h"
#include "pkg/source/file_source.h"
#include "pkg/telemetry/metrics_writer.h"
#include "pkg/telemetry/process_stats.h"

namespace fairlead::cmd {
namespace {

using controller::Controller;
using dataplane::dr::DrDataPlane;
using dataplane::snat::HandoverServer;
using dataplane::snat::SnatDataPlane;
using dataplane::snat::TakeOver;

// Long enough for 10,000 objects; a shorter configuration is read in milliseconds.
constexpr absl::Duration kFirstReadingMax = absl::Seconds(10);
constexpr absl::Duration kTakeOverMax = absl::Seconds(30);

std::shared_ptr<const controller::ControlView> ViewOf(const Controller& controller,
                                                      const AnnounceSetup& announce,
                                                      const WebSetup& web) {
  auto view = std::make_shared<controller::ControlView>(*controller.View());
  announce.Show(view.get());
  web.Show(view.get());
  return view;
}

std::string MetricsText(const controller::ControlView& view, bool servers) {
  telemetry::MetricsWriter writer;
  writer.Family("fairlead_build_info", telemetry::MetricType::kGauge,
                "Always 1; the version that runs.");
  writer.Sample({{"version", Version()}, {"revision", SourceRevision()}}, uint64_t{1});
  controller::WriteMetrics(
      view, servers ? controller::MetricsDetail::kAll : controller::MetricsDetail::kVip, &writer);
  telemetry::WriteProcessMetrics(telemetry::ReadProcessStats(), &writer);
  return writer.Finish();
}

admin::AdminBackend MakeBackend(Controller& controller, const dataplane::DataPlane& plane,
                                AnnounceSetup& announce, const WebSetup& web) {
  return {
      .view = [&controller, &announce, &web] { return ViewOf(controller, announce, web); },
      .metrics =
          [&controller, &announce, &web](bool servers) {
            return MetricsText(*ViewOf(controller, announce, web), servers);
          },
      .set_server_state =
          [&controller](const controller::SetServerState& command) {
            return controller.Execute(command);
          },
      .switch_pair =
          [&announce](controller::PairSwitch which, const std::string& requester) {
            return announce.Switch(which, requester);
          },
      .explain =
          [&controller, &plane](const std::string& client, const std::string& vip) {
            return controller::ExplainClient(*controller.View(), plane, client, vip);
          },
      .version = Version(),
      .revision = SourceRevision(),
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const RunOptions& options,
                                                      std::vector<std::string> host_warnings) {
  std::unique_ptr<Daemon> daemon(new Daemon(options));
  daemon->released_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!daemon->released_.valid()) return base::LastErrnoStatus("eventfd");
  if (absl::Status status = daemon->ReadNode(); !status.ok()) return status;
  if (absl::Status status = daemon->StartPlane(); !status.ok()) return status;
  if (absl::Status status = daemon->StartControl(std::move(host_warnings)); !status.ok()) {
    return status;
  }
  // Without a takeover the admin port comes first: it is what a second daemon fails on, before it
  // could share the VIPs' ports with the first one.
  if (daemon->takeover_ == nullptr) {
    if (absl::Status status = daemon->StartAdmin(); !status.ok()) return status;
  }
  Controller* controller = daemon->controller_.get();
  AnnounceSetup* announce = daemon->announce_.get();
  // Of several nodes of a cluster nobody has been chosen to bring an address up.
  const bool alone = !options.cluster.has_value();
  daemon->relay_.Attach([controller, announce, alone](auto snapshot) {
    if (alone) announce->SetDesired(*snapshot);
    controller->PostDesired(snapshot);
  });
  if (absl::Status status = daemon->StartCluster(); !status.ok()) return status;
  if (daemon->takeover_ != nullptr) {
    if (absl::Status status = daemon->CommitTakeOver(); !status.ok()) return status;
    if (absl::Status status = daemon->StartAdmin(); !status.ok()) return status;
  }
  if (absl::Status status = daemon->announce_->Begin({.pair = daemon->node_.pair,
                                                      .interface = daemon->node_.interface,
                                                      .takeover = daemon->takeover_ != nullptr},
                                                     [controller] { return controller->View(); });
      !status.ok()) {
    return status;
  }
  daemon->StartHandover();
  daemon->LogStart();
  return daemon;
}

Daemon::~Daemon() {
  handover_.reset();
  relay_.Detach();
  source_.reset();
  cluster_.reset();
  if (controller_ != nullptr) controller_->Stop();
  web_.End();
  base::MutexLock lock(&admin_mutex_);
  metrics_.reset();
  admin_.reset();
  announce_.reset();
  arp_.reset();
  resolver_.reset();
  health_.reset();
}

absl::Status Daemon::ReadNode() {
  if (options_.cluster.has_value()) {
    node_ = SettleNode(options_, std::nullopt);
    return absl::OkStatus();
  }
  source::FileSourceOptions source_options;
  source_options.admin = options_.admin;
  absl::StatusOr<std::unique_ptr<source::FileSource>> source =
      source::FileSource::Create(options_.config_path, source_options,
                                 [this](std::shared_ptr<const model::DesiredState> desired) {
                                   relay_.Post(std::move(desired));
                                 });
  if (!source.ok()) return source.status();
  source_ = *std::move(source);
  const DesiredStateRelay::Snapshot first = relay_.WaitForFirst(kFirstReadingMax);
  if (first == nullptr) {
    base::LogWarning("the configuration has not been read yet; starting with default node settings",
                     {{"config", options_.config_path}});
  }
  node_ = SettleNode(options_, first == nullptr ? std::nullopt : first->node);
  if (first != nullptr) node_.web = GiveWayToVips(std::move(node_.web), first->vips);
  return absl::OkStatus();
}

absl::Status Daemon::StartPlane() {
  dataplane::snat::SnatOptions snat;
  snat.engine = options_.engine;
  snat.shards = options_.shards;
  snat.sessions_max = options_.sessions_max;
  if (options_.takeover) {
    auto takeover = TakeOver::Begin(dataplane::snat::HandoverPath(node_.state_directory));
    if (takeover.ok()) {
      takeover_ = *std::move(takeover);
      snat.inherited = takeover_->Take();
    } else if (absl::IsNotFound(takeover.status())) {
      base::LogInfo("nothing to take over; starting as usual",
                    {{"reason", std::string(takeover.status().message())}});
    } else {
      return takeover.status();
    }
  }
  auto snat_plane = SnatDataPlane::Create(std::move(snat), clock_);
  if (!snat_plane.ok()) return snat_plane.status();
  snat_ = *std::move(snat_plane);
  dataplane::dr::DrOptions dr;
  dr.bpf_directory = options_.bpf_directory;
  dr.state_directory = node_.state_directory;
  dr.takeover = takeover_ != nullptr;
  dr.lease = options_.dr_lease;
  const auto cloud = doctor::DetectCloud(doctor::HostTree(""));
  if (cloud.has_value()) {
    base::LogInfo("this host is in a cloud", {{"cloud", cloud->name}, {"by", cloud->evidence}});
  }
  const DirectRefusal refusal = RefuseDirect(options_, cloud);
  direct_refusal_ = refusal.reason;
  if (!refusal.reason.empty()) dr.refusal = absl::StrCat(refusal.reason, "; ", refusal.remedy);
  std::error_code unreadable;  // then nothing can be adopted either
  direct_adopted_ = std::filesystem::exists(options_.bpf_directory, unreadable);
  auto dr_plane = DrDataPlane::Create(std::move(dr), clock_);
  if (!dr_plane.ok()) return dr_plane.status();
  dr_ = *std::move(dr_plane);
  plane_ = std::make_unique<dataplane::SplitDataPlane>(*snat_, *dr_);
  return absl::OkStatus();
}

absl::Status Daemon::StartControl(std::vector<std::string> host_warnings) {
  auto made = Controller::Create(clock_, *plane_);
  if (!made.ok()) return made.status();
  controller_ = *std::move(made);
  announce_ = std::make_unique<AnnounceSetup>(clock_);
  health::HealthMonitorOptions health_options;
  health_options.engine = options_.engine;
  Controller* controller = controller_.get();
  auto health = health::HealthMonitor::Create(
      health_options, clock_,
      [controller](const health::HealthReport& report) { controller->PostHealth(report); });
  if (!health.ok()) return health.status();
  health_ = *std::move(health);
  auto names = resolver::NameResolver::Create(
      {}, clock_, resolver::LookUpHost,
      [controller](const resolver::Answer& answer) { controller->PostAnswer(answer); });
  if (!names.ok()) return names.status();
  resolver_ = *std::move(names);
  auto arp = arp::ArpWatch::Create(
      clock_, [controller](const arp::Round& round) { controller->PostRound(round); });
  if (!arp.ok()) return arp.status();
  arp_ = *std::move(arp);
  if (!node_.admin.address.is_loopback()) {
    const std::string warning =
        absl::StrCat("the admin API on ", node_.admin.ToString(),
                     " has no login: whoever reaches it can drain real servers. Protect it with a "
                     "firewall, or use --admin 127.0.0.1:9080");
    base::LogWarning("admin API is not on loopback", {{"reason", warning}});
    host_warnings.push_back(warning);
  }
  controller_->Start({.state_directory = node_.state_directory,
                      .host_warnings = std::move(host_warnings),
                      .direct_refusal = direct_refusal_,
                      .direct_adopted = direct_adopted_},
                     *health_, *resolver_, *arp_);
  return absl::OkStatus();
}

absl::Status Daemon::StartAdmin() {
  base::MutexLock lock(&admin_mutex_);
  const admin::AdminBackend backend = MakeBackend(*controller_, *plane_, *announce_, web_);
  auto admin = admin::AdminServer::Create(node_.admin, backend);
  if (!admin.ok()) return admin.status();
  admin_ = *std::move(admin);
  if (options_.metrics.has_value()) {
    auto metrics =
        admin::AdminServer::Create(*options_.metrics, backend, admin::ApiScope::kMetrics);
    if (!metrics.ok()) return metrics.status();
    metrics_ = *std::move(metrics);
  }
  return web_.Begin(options_.web, node_.web, node_.state_directory, backend);
}

absl::Status Daemon::StartCluster() {
  if (!options_.cluster.has_value()) return absl::OkStatus();
  auto cluster =
      ClusterNode::Start(*options_.cluster, node_.admin, node_.state_directory, clock_,
                         *controller_, [this](std::shared_ptr<const model::DesiredState> desired) {
                           relay_.Post(std::move(desired));
                         });
  if (!cluster.ok()) return cluster.status();
  cluster_ = *std::move(cluster);
  return absl::OkStatus();
}

absl::Status Daemon::CommitTakeOver() {
  const absl::Duration deadline = clock_.Monotonic() + kTakeOverMax;
  // The old process lets go only when the new one serves: every shard has the first plan.
  for (auto view = controller_->View();
       view->plan_revision == 0 || view->plane.applied_revision < view->plan_revision;
       view = controller_->View()) {
    if (clock_.Monotonic() > deadline) {
      return absl::DeadlineExceededError(
          "takeover: this process did not get its first plan in force within 30 s; the running "
          "daemon goes on. Check the configuration with `fairlead check`");
    }
    absl::SleepFor(absl::Milliseconds(5));
  }
  if (absl::Status status = takeover_->Commit(kTakeOverMax); !status.ok()) return status;
  base::LogInfo("took the listening sockets over from the old process");
  return absl::OkStatus();
}

void Daemon::StartHandover() {
  auto handover = HandoverServer::Create(
      dataplane::snat::HandoverPath(node_.state_directory),
      [this] { return snat_->DuplicateState(); }, [this] { OnReleased(); });
  if (handover.ok()) {
    handover_ = *std::move(handover);
    return;
  }
  base::LogWarning("a later --takeover will not work",
                   {{"reason", std::string(handover.status().message())}});
}

// On the handover server's thread.
void Daemon::OnReleased() {
  snat_->StopAccepting();
  dr_->Stop(absl::ZeroDuration());  // from now on the other process writes the maps
  announce_->End(ha::VipAnnouncer::Ending::kLeave);
  if (cluster_ != nullptr) cluster_->Leave();
  web_.End();
  {
    base::MutexLock lock(&admin_mutex_);
    metrics_.reset();
    admin_.reset();
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(released_.get(), &one, sizeof(one));
}

void Daemon::LogStart() const {
  const dataplane::PlaneObservation plane = plane_->Observe();
  base::LogInfo("fairlead is running",
                {{"version", Version()},
                 {"engine", plane.engine},
                 {"shards", absl::StrCat(plane.shards)},
                 {"sessions_max", absl::StrCat(plane.sessions_max)},
                 {"admin", node_.admin.ToString()},
                 {"config", cluster_ != nullptr ? cluster_->description() : options_.config_path},
                 {"state_directory", node_.state_directory}});
  if (!plane.engine_reason.empty()) {
    base::LogWarning("io_uring is not used", {{"reason", plane.engine_reason}});
  }
}

void Daemon::BeginStop() {
  relay_.Detach();
  source_.reset();
  if (cluster_ != nullptr) cluster_->BeginStop();
  controller_->BeginStop();
  announce_->BeginStop();
}

void Daemon::StopPlane(absl::Duration grace) { plane_->Stop(grace); }

}  // namespace fairlead::cmd
