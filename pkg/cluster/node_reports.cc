#include "pkg/cluster/node_reports.h"

#include <algorithm>
#include <utility>

#include "pkg/cluster/json_access.h"

namespace fairlead::cluster {
namespace {

using nlohmann::json;

NodeReport ToReport(const json& entry) {
  NodeReport report = {.node = TextAt(entry, {"node"}),
                       .observed_generation = NumberAt(entry, {"observedGeneration"}),
                       .programmed = BoolAt(entry, {"programmed"}),
                       .reason = TextAt(entry, {"reason"}),
                       .message = TextAt(entry, {"message"}),
                       .addresses = {},
                       .servers_ready = NumberAt(entry, {"serversReady"}),
                       .servers_total = NumberAt(entry, {"serversTotal"}),
                       .not_ready = {}};
  for (const json& place : ListAt(entry, {"addresses"})) {
    report.addresses.push_back({TextAt(place, {"address"}), TextAt(place, {"interface"})});
  }
  for (const json& server : ListAt(entry, {"serversNotReady"})) {
    report.not_ready.push_back({TextAt(server, {"name"}), TextAt(server, {"state"}),
                                TextAt(server, {"health"}), TextAt(server, {"reason"})});
  }
  return report;
}

}  // namespace

std::vector<NodeReport> ReportsOf(const json& vip, const std::set<std::string>& alive) {
  std::vector<NodeReport> reports;
  for (const json& entry : ListAt(vip, {"status", "nodes"})) {
    NodeReport report = ToReport(entry);
    if (alive.contains(report.node)) reports.push_back(std::move(report));
  }
  std::sort(reports.begin(), reports.end(),
            [](const NodeReport& a, const NodeReport& b) { return a.node < b.node; });
  return reports;
}

}  // namespace fairlead::cluster
