// Which real servers a VIP has.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "pkg/model/desired_state.h"
#include "pkg/model/server_fit.h"

namespace fairlead::model {
namespace {

bool HasLabels(const RealServer& server, const std::map<std::string, std::string>& selector) {
  return std::all_of(selector.begin(), selector.end(), [&server](const auto& wanted) {
    const auto label = server.labels.find(wanted.first);
    return label != server.labels.end() && label->second == wanted.second;
  });
}

const ServiceEndpoints* FindService(const DesiredState& desired, const Vip& vip) {
  if (vip.service.empty()) return nullptr;
  const std::pair wanted(absl::string_view(vip.id.name_space), absl::string_view(vip.service.name));
  const auto found = std::lower_bound(desired.services.begin(), desired.services.end(), wanted,
                                      [](const ServiceEndpoints& service, const auto& key) {
                                        return std::pair<absl::string_view, absl::string_view>(
                                                   service.name_space, service.name) < key;
                                      });
  const bool is_it = found != desired.services.end() && found->name_space == wanted.first &&
                     found->name == wanted.second;
  return is_it ? &*found : nullptr;
}

std::vector<VipServer> Join(const Vip& vip, const std::vector<const RealServer*>& objects,
                            const ServiceEndpoints* endpoints) {
  std::vector<VipServer> servers;
  servers.reserve(vip.inline_servers.size() + objects.size());
  absl::flat_hash_set<std::string> names;
  absl::flat_hash_set<ServerPlace> places;
  for (const InlineServer& server : vip.inline_servers) {
    servers.push_back({server.name, false, server.spec});
    names.insert(server.name);
    places.insert(PlaceOf(server.spec));
  }
  for (const RealServer* server : objects) {
    if (names.contains(server->id.name) || places.contains(PlaceOf(server->spec))) continue;
    if (!ServerMisfit(vip, server->spec).empty()) continue;
    servers.push_back({server->id.name, true, server->spec});
    if (endpoints == nullptr) continue;
    names.insert(server->id.name);
    places.insert(PlaceOf(server->spec));
  }
  if (endpoints != nullptr) {
    for (VipServer& server : EndpointsOf(vip, *endpoints).servers) {
      if (names.contains(server.name) || places.contains(PlaceOf(server.spec))) continue;
      servers.push_back(std::move(server));
    }
  }
  std::sort(servers.begin(), servers.end(),
            [](const VipServer& left, const VipServer& right) { return left.name < right.name; });
  return servers;
}

std::pair<std::string, std::string> LabelKey(const std::string& name_space,
                                             const std::pair<const std::string, std::string>& l) {
  return {name_space, absl::StrCat(l.first, "=", l.second)};
}

}  // namespace

std::vector<VipServer> ServersOf(const DesiredState& desired, const Vip& vip) {
  std::vector<const RealServer*> objects;
  if (!vip.selector.empty()) {
    for (const RealServer& server : desired.real_servers) {
      if (server.id.name_space == vip.id.name_space && HasLabels(server, vip.selector)) {
        objects.push_back(&server);
      }
    }
  }
  return Join(vip, objects, FindService(desired, vip));
}

ServerIndex::ServerIndex(const DesiredState& desired) : desired_(desired) {
  for (const RealServer& server : desired.real_servers) {
    for (const auto& label : server.labels) {
      by_label_[LabelKey(server.id.name_space, label)].push_back(&server);
    }
  }
}

std::vector<const RealServer*> ServerIndex::Matching(const Vip& vip) const {
  std::vector<const RealServer*> matching;
  if (vip.selector.empty()) return matching;
  const auto bucket = by_label_.find(LabelKey(vip.id.name_space, *vip.selector.begin()));
  if (bucket == by_label_.end()) return matching;
  for (const RealServer* server : bucket->second) {
    if (HasLabels(*server, vip.selector)) matching.push_back(server);
  }
  return matching;
}

const ServiceEndpoints* ServerIndex::EndpointsFor(const Vip& vip) const {
  return FindService(desired_, vip);
}

std::vector<VipServer> ServerIndex::ServersOf(const Vip& vip) const {
  return Join(vip, Matching(vip), EndpointsFor(vip));
}

}  // namespace fairlead::model
