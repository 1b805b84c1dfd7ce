#include "cmd/fairlead/cluster_node.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cmd/fairlead/node_report.h"
#include "pkg/kube/reflector.h"

namespace fairlead::cmd {

absl::StatusOr<std::unique_ptr<ClusterNode>> ClusterNode::Start(
    const ClusterOptions& options, const std::optional<net::Endpoint>& admin,
    const std::string& state_directory, const base::Clock& clock,
    controller::Controller& controller, source::DesiredStateCallback on_state) {
  const absl::StatusOr<kube::ClusterAccess> access = AccessOf(options);
  if (!access.ok()) return access.status();
  std::unique_ptr<ClusterNode> node(new ClusterNode());
  node->description_ = absl::StrCat(access->server, " (", access->origin, ")");
  // Two: the reading one is cancelled to end the watches while the other one still says goodbye.
  for (std::unique_ptr<kube::ApiClient>* client : {&node->reading_, &node->writing_}) {
    auto made = kube::MakeApiClient(*access, clock);
    if (!made.ok()) return made.status();
    *client = *std::move(made);
  }
  kube::KubernetesSourceOptions source_options;
  source_options.name_space = options.name_space;
  source_options.modes = options.modes;
  source_options.admin = admin;
  source_options.state_directory = state_directory;
  source_options.server = access->server;
  // Followed until the source says otherwise: the metric is there from the start.
  controller.PostSourceHealth({.problem = "", .current = clock.Now()});
  kube::ApiClient* reading = node->reading_.get();
  auto source = kube::KubernetesSource::Start(
      clock, std::move(source_options),
      [reading, &clock](const kube::Resource& resource, kube::ReflectorOptions reflector_options,
                        kube::ReflectorSink& sink) {
        return kube::Reflector::Start(*reading, clock, resource, std::move(reflector_options),
                                      sink);
      },
      std::move(on_state),
      [&controller](const source::SourceHealth& health) { controller.PostSourceHealth(health); });
  if (!source.ok()) return source.status();
  node->source_ = *std::move(source);
  auto reporter = kube::NodeReporter::Start(
      *node->writing_, clock, IdentityOf(options, *access),
      [&controller, source = node->source_.get(), modes = options.modes,
       last_event = uint64_t{0}]() mutable {
        return ReportOf(*controller.View(), *source->Observed(), modes, &last_event);
      });
  if (!reporter.ok()) return reporter.status();
  node->reporter_ = *std::move(reporter);
  return node;
}

ClusterNode::~ClusterNode() {
  if (reading_ != nullptr) reading_->Cancel();
  reporter_.reset();  // it looks at the source
  source_.reset();
}

void ClusterNode::BeginStop() {
  reporter_->BeginEnd(kube::NodeReporter::Ending::kWithdraw);
  source_->Stop();
  reading_->Cancel();
}

void ClusterNode::Leave() { reporter_->BeginEnd(kube::NodeReporter::Ending::kLeave); }

}  // namespace fairlead::cmd
