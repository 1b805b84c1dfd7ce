// Rules over one object. Each message says the value, the reason and what to do instead.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "pkg/model/desired_state.h"
#include "pkg/model/finding_collector.h"
#include "pkg/model/limits.h"
#include "pkg/model/names.h"
#include "pkg/model/presets.h"
#include "pkg/model/server_fit.h"
#include "pkg/model/suggestion.h"
#include "pkg/model/validate_internal.h"

namespace fairlead::model {
namespace {

void CheckIdentity(const ObjectId& id, FindingCollector& findings) {
  findings.ErrorIf(NameProblem(id.name), "metadata.name");
  if (id.kind == ObjectKind::kVip || id.kind == ObjectKind::kRealServer) {
    findings.ErrorIf(NamespaceProblem(id.name_space), "metadata.namespace");
  }
}

void CheckLabels(const std::map<std::string, std::string>& labels, const std::string& path,
                 FindingCollector& findings) {
  for (const auto& [key, value] : labels) {
    findings.ErrorIf(LabelKeyProblem(key), absl::StrCat(path, ".", key));
    findings.ErrorIf(LabelValueProblem(value), absl::StrCat(path, ".", key));
  }
}

void CheckAddresses(const Vip& vip, FindingCollector& findings) {
  if (vip.addresses.empty() && vip.address_pool.empty()) {
    findings.Error("spec.addresses", "a VIP needs 1 to 8 addresses; write addresses: [10.0.0.1]");
  }
  if (vip.addresses.size() > kVipAddressesMax) {
    findings.Error("spec.addresses",
                   absl::StrCat(vip.addresses.size(), " addresses > ", kVipAddressesMax,
                                "; declare a second VIP for the others"));
  }
  absl::flat_hash_set<net::IpAddress> seen;
  for (size_t i = 0; i < vip.addresses.size(); ++i) {
    const std::string field = absl::StrCat("spec.addresses[", i, "]");
    findings.ErrorIf(AddressProblem(vip.addresses[i]), field);
    if (!seen.insert(vip.addresses[i]).second) {
      findings.Error(field, absl::StrCat(vip.addresses[i].ToString(), " is listed twice"));
    }
  }
}

// netdevice(7): IFNAMSIZ with its NUL; the kernel refuses slashes and white space.
std::string InterfaceProblem(const std::string& name) {
  constexpr size_t kNameBytesMax = 15;
  if (name.size() > kNameBytesMax) {
    return absl::StrCat(Quoted(name), " is longer than an interface's name may be (", kNameBytesMax,
                        " bytes)");
  }
  const bool odd = std::any_of(name.begin(), name.end(), [](unsigned char c) {
    return c <= ' ' || c == '/' || c == ':' || c == 0x7f;
  });
  return odd ? absl::StrCat(Quoted(name), " is no interface's name; `ip link` lists them") : "";
}

void CheckAdvertise(const Advertise& advertise, FindingCollector& findings) {
  const bool is_l2 = advertise.type == Advertise::Type::kL2;
  if (!is_l2 && advertise.type != Advertise::Type::kNone) {
    findings.Error("spec.advertise.type", NotSupportedYet(absl::StrCat(
                                              "advertise type ", AdvertiseTypeName(advertise.type),
                                              "; use L2, or None and put the address on the "
                                              "host")));
  } else if (!is_l2 && !advertise.interface.empty()) {
    findings.Error("spec.advertise.interface", "an interface is for type L2 only; remove it");
  }
  findings.ErrorIf(InterfaceProblem(advertise.interface), "spec.advertise.interface");
}

void CheckPair(const Node& node, FindingCollector& findings) {
  const Pair& pair = *node.pair;
  const bool unicast = pair.transport == Pair::Transport::kUnicast;
  if (unicast && !pair.peer.has_value()) {
    findings.Error("spec.pair.peer",
                   "transport Unicast needs the address of the other host; write peer: 10.0.0.2, "
                   "or transport: Multicast");
  } else if (!unicast && pair.peer.has_value()) {
    findings.Error("spec.pair.peer", "a peer is for transport Unicast only; remove it");
  } else if (!unicast && node.interface.empty()) {
    findings.Error("spec.interface",
                   "transport Multicast needs the interface to speak on; write "
                   "interface: eth0");
  }
  if (pair.peer.has_value()) {
    findings.ErrorIf(AddressProblem(*pair.peer), "spec.pair.peer");
    if (pair.peer->is_loopback()) {
      findings.Error("spec.pair.peer", absl::StrCat(pair.peer->ToString(), " is this host itself"));
    }
  }
  if (absl::ToInt64Milliseconds(pair.advertisement_interval) % 10 != 0) {
    findings.Error("spec.pair.advertisementIntervalMs",
                   absl::StrCat(absl::ToInt64Milliseconds(pair.advertisement_interval),
                                " is no multiple of 10: advertisements count in centiseconds"));
  }
}

void CheckFeatures(const Vip& vip, FindingCollector& findings) {
  if (vip.protocol != Protocol::kTcp && vip.mode == Mode::kSnat) {
    findings.Error("spec.protocol",
                   NotSupportedYet(absl::StrCat("protocol ", ProtocolName(vip.protocol),
                                                " with mode SNAT; use TCP, or mode: DR")));
  }
  CheckAdvertise(vip.advertise, findings);
  if (vip.ports.is_all() && vip.mode != Mode::kDr) {
    findings.Error("spec.ports",
                   "every port (\"*\") needs mode: DR; a proxy would have to listen on each of "
                   "them; list the ports");
  }
}

void CheckPorts(const Vip& vip, FindingCollector& findings) {
  if (vip.ports.empty()) {
    findings.Error("spec.ports",
                   "a VIP needs ports: write ports: \"80,443\" or presets: [konica-minolta]; "
                   "`fairlead presets` lists them");
  }
  for (size_t i = 0; i < vip.presets.size(); ++i) {
    if (FindPreset(vip.presets[i]) != nullptr) continue;
    findings.Error(
        absl::StrCat("spec.presets[", i, "]"),
        absl::StrCat("no preset ", Quoted(vip.presets[i]), "; `fairlead presets` lists them"));
  }
}

// Inline servers are named like objects, or after their address when they have no name.
std::string InlineNameProblem(const InlineServer& server) {
  if (server.name == server.spec.AddressText()) return "";
  return NameProblem(server.name);
}

void CheckInlineServers(const Vip& vip, FindingCollector& findings) {
  const std::string list = "spec.realServers.list";
  if (vip.inline_servers.size() > kInlineServersMax) {
    findings.Error(list, absl::StrCat(vip.inline_servers.size(), " servers > ", kInlineServersMax,
                                      "; use RealServer objects for the others"));
  }
  absl::flat_hash_set<std::string> names;
  absl::flat_hash_set<ServerPlace> places;
  for (size_t i = 0; i < vip.inline_servers.size(); ++i) {
    const InlineServer& server = vip.inline_servers[i];
    const std::string path = absl::StrCat(list, "[", i, "]");
    findings.ErrorIf(InlineNameProblem(server), path + ".name");
    CheckServerSpec(server.spec, path, findings);
    findings.ErrorIf(ServerMisfit(vip, server.spec), path + ".address");
    if (!names.insert(server.name).second) {
      findings.Error(path + ".name",
                     absl::StrCat("the name ", Quoted(server.name),
                                  " is in the list twice; give each server a name of its own"));
    }
    const ServerPlace place = PlaceOf(server.spec);
    if (!places.insert(place).second) {
      findings.Error(path + ".address",
                     absl::StrCat(place.ToString(),
                                  " is in the list twice; raise the weight of one entry instead"));
    }
  }
}

void CheckSelector(const Vip& vip, FindingCollector& findings) {
  const bool is_default = vip.selector.size() == 1 && vip.selector.begin()->first == kVipLabel &&
                          vip.selector.begin()->second == vip.id.name;
  if (is_default && !LabelValueProblem(vip.id.name).empty() && NameProblem(vip.id.name).empty()) {
    findings.Error("spec.realServers",
                   "the VIP's name is too long for the label value that finds its servers; write "
                   "a selector or a list");
    return;
  }
  if (!is_default) CheckLabels(vip.selector, "spec.realServers.selector.matchLabels", findings);
}

void CheckService(const Vip& vip, FindingCollector& findings) {
  if (vip.service.empty()) return;
  findings.ErrorIf(ServiceNameProblem(vip.service.name), "spec.realServers.service.name");
  if (!vip.service.port_name.empty()) {
    findings.ErrorIf(PortNameProblem(vip.service.port_name), "spec.realServers.service.port");
  }
}

void CheckFallback(const Vip& vip, FindingCollector& findings) {
  if (vip.fallback.action != Fallback::Action::kServer) return;
  const net::Endpoint& server = vip.fallback.server;
  findings.ErrorIf(AddressProblem(server.address), "spec.fallback.address");
  findings.ErrorIf(ServerMisfit(vip, server.address, server.port), "spec.fallback.address");
}

void CheckSource(const Vip& vip, FindingCollector& findings) {
  if (vip.source.type == SourceAddress::Type::kAddress) {
    findings.ErrorIf(AddressProblem(vip.source.address), "spec.source.address");
  }
  if (vip.client_address != ClientAddress::kTransparent) return;
  if (vip.source.type != SourceAddress::Type::kAuto) {
    findings.Error("spec.source.type",
                   "clientAddress Transparent connects from the client's own address, so that no "
                   "source can be set; remove source or use ProxyProtocolV2");
  }
  const auto is_ipv4 = [](const net::IpAddress& address) { return address.is_ipv4(); };
  const auto ipv4_count = std::count_if(vip.addresses.begin(), vip.addresses.end(), is_ipv4);
  if (ipv4_count != 0 && ipv4_count != static_cast<ptrdiff_t>(vip.addresses.size())) {
    findings.Error("spec.clientAddress",
                   "Transparent cannot carry an IPv6 client to an IPv4 server; declare one VIP for "
                   "the IPv4 addresses and one for the IPv6 addresses");
  }
}

void CheckRanges(const AddressPool& pool, FindingCollector& findings) {
  if (pool.ranges.empty() || pool.ranges.size() > kPoolRangesMax) {
    findings.Error("spec.ranges",
                   absl::StrCat("a pool has 1 to ", kPoolRangesMax, " ranges, not ",
                                pool.ranges.size(), "; write ranges: [10.0.0.1-10.0.0.9]"));
  }
  for (size_t i = 0; i < pool.ranges.size(); ++i) {
    std::string problem = AddressProblem(pool.ranges[i].first);
    if (problem.empty()) problem = AddressProblem(pool.ranges[i].last);
    findings.ErrorIf(std::move(problem), absl::StrCat("spec.ranges[", i, "]"));
  }
}

void CheckNamespaces(const AddressPool& pool, FindingCollector& findings) {
  if (pool.namespaces.size() > kPoolNamespacesMax) {
    findings.Error("spec.namespaces", absl::StrCat(pool.namespaces.size(), " namespaces > ",
                                                   kPoolNamespacesMax, "; an empty list is all"));
  }
  absl::flat_hash_set<std::string> seen;
  for (size_t i = 0; i < pool.namespaces.size(); ++i) {
    const std::string field = absl::StrCat("spec.namespaces[", i, "]");
    findings.ErrorIf(NamespaceProblem(pool.namespaces[i]), field);
    if (!seen.insert(pool.namespaces[i]).second) {
      findings.Error(field, absl::StrCat(Quoted(pool.namespaces[i]), " is listed twice"));
    }
  }
}

void CheckNumbers(const Vip& vip, FindingCollector& findings) {
  CheckLimits(vip.persistence.timeout, kPersistenceTimeoutLimits, "spec.persistence.timeoutSeconds",
              findings);
  CheckLimits(vip.persistence.ipv4_prefix_length, kIpv4PrefixLimits,
              "spec.persistence.ipv4PrefixLength", findings);
  CheckLimits(vip.persistence.ipv6_prefix_length, kIpv6PrefixLimits,
              "spec.persistence.ipv6PrefixLength", findings);
  CheckLimits(vip.timeouts.connect, kConnectTimeoutLimits, "spec.timeouts.connectSeconds",
              findings);
  CheckLimits(vip.timeouts.idle, kIdleTimeoutLimits, "spec.timeouts.idleSeconds", findings);
  CheckLimits(vip.timeouts.drain, kDrainTimeoutLimits, "spec.timeouts.drainSeconds", findings);
  CheckLimits(vip.connections_max, kConnectionsLimits, "spec.maxConnections", findings);
  CheckLimits(vip.slow_start, kSlowStartLimits, "spec.slowStartSeconds", findings);
}

void CheckListener(const std::optional<net::Endpoint>& listener, const char* field,
                   FindingCollector& findings) {
  if (!listener.has_value()) return;
  if (listener->address.is_multicast()) {
    findings.Error(field, absl::StrCat(listener->address.ToString(), " is a multicast address"));
  }
  CheckLimits(listener->port, kPortLimits, field, findings);
}

}  // namespace

std::string AddressProblem(const net::IpAddress& address) {
  const std::string text = address.ToString();
  if (address.is_unspecified()) return text + " is the unspecified address; write one address";
  if (address.is_multicast()) return text + " is a multicast address; write a unicast address";
  constexpr std::array<uint8_t, 4> kBroadcast = {255, 255, 255, 255};
  if (address.bytes() == absl::MakeConstSpan(kBroadcast)) {
    return text + " is the broadcast address; write a unicast address";
  }
  if (!address.is_ipv4() && address.is_link_local()) {
    return NotSupportedYet(text + ": IPv6 link-local addresses, which need an interface");
  }
  return "";
}

void CheckServerSpec(const ServerSpec& spec, const std::string& path, FindingCollector& findings) {
  findings.ErrorIf(
      spec.has_host_name() ? HostNameProblem(spec.host_name) : AddressProblem(spec.address),
      path + ".address");
  if (spec.port.has_value()) CheckLimits(*spec.port, kPortLimits, path + ".port", findings);
  CheckLimits(spec.weight, kWeightLimits, path + ".weight", findings);
  CheckLimits(spec.connections_min, kConnectionsLimits, path + ".minConnections", findings);
  CheckLimits(spec.connections_max, kConnectionsLimits, path + ".maxConnections", findings);
  if (spec.connections_max == 0 && spec.connections_min > 0) {
    findings.Warning(path + ".minConnections",
                     "minConnections limits nothing while maxConnections is 0 (unlimited); set "
                     "maxConnections too");
  } else if (spec.connections_min > spec.connections_max) {
    findings.Error(path + ".minConnections",
                   absl::StrCat(spec.connections_min, " > maxConnections ", spec.connections_max));
  }
}

std::vector<Finding> Validate(const Vip& vip) {
  FindingCollector findings(vip.id, vip.location);
  CheckIdentity(vip.id, findings);
  CheckAddresses(vip, findings);
  if (!vip.address_pool.empty()) {
    findings.ErrorIf(NameProblem(vip.address_pool), "spec.addressPoolRef.name");
  }
  CheckFeatures(vip, findings);
  CheckPorts(vip, findings);
  CheckHealthCheck(vip, findings);
  CheckSelector(vip, findings);
  CheckService(vip, findings);
  CheckInlineServers(vip, findings);
  CheckFallback(vip, findings);
  CheckSource(vip, findings);
  CheckNumbers(vip, findings);
  CheckDirectRouting(vip, findings);
  return findings.Take();
}

std::vector<Finding> Validate(const RealServer& server) {
  FindingCollector findings(server.id, server.location);
  CheckIdentity(server.id, findings);
  CheckLabels(server.labels, "metadata.labels", findings);
  CheckServerSpec(server.spec, "spec", findings);
  return findings.Take();
}

std::vector<Finding> Validate(const AddressPool& pool) {
  FindingCollector findings(pool.id, pool.location);
  CheckIdentity(pool.id, findings);
  CheckRanges(pool, findings);
  CheckNamespaces(pool, findings);
  return findings.Take();
}

std::vector<Finding> Validate(const Node& node) {
  FindingCollector findings(node.id, node.location);
  CheckIdentity(node.id, findings);
  findings.ErrorIf(InterfaceProblem(node.interface), "spec.interface");
  if (node.pair.has_value()) CheckPair(node, findings);
  CheckListener(node.admin_http, "spec.admin.http", findings);
  CheckListener(node.admin_https, "spec.admin.https", findings);
  const std::string& directory = node.state_directory;
  if (directory.empty() || directory.front() != '/' ||
      std::any_of(directory.begin(), directory.end(),
                  [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    findings.Error(
        "spec.stateDirectory",
        absl::StrCat(Quoted(directory), " is not an absolute path; start it with \"/\""));
  }
  return findings.Take();
}

}  // namespace fairlead::model
