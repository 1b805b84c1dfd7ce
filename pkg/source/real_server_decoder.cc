// `spec` of a RealServer and of a Node, and the pieces that several kinds share.
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/model/suggestion.h"
#include "pkg/source/object_decoders.h"

namespace fairlead::source {
namespace {

using model::AdminState;
using model::Pair;

constexpr absl::string_view kServerFields[] = {"address",        "port",           "weight",
                                               "minConnections", "maxConnections", "state"};
constexpr absl::string_view kNodeFields[] = {"interface", "pair", "admin", "stateDirectory"};
constexpr absl::string_view kPairFields[] = {"peer",        "transport", "virtualRouterId",
                                             "priority",    "preempt",   "advertisementIntervalMs",
                                             "ipv4Checksum"};
constexpr NamedValue<Pair::Transport> kTransports[] = {{"Unicast", Pair::Transport::kUnicast},
                                                       {"Multicast", Pair::Transport::kMulticast}};
constexpr NamedValue<Pair::Checksum> kChecksums[] = {
    {"PseudoHeader", Pair::Checksum::kPseudoHeader}, {"Plain", Pair::Checksum::kPlain}};
constexpr absl::string_view kAdminFields[] = {"http", "https"};
constexpr NamedValue<AdminState> kAdminStates[] = {
    {"Online", AdminState::kOnline}, {"Drain", AdminState::kDrain}, {"Halt", AdminState::kHalt}};

void DecodePair(const MapReader& spec, model::Node* node) {
  const YamlNode* found = spec.Find("pair");
  if (found == nullptr) return;
  const MapReader reader(spec.context(), *found, spec.PathOf("pair"), kPairFields);
  Pair& pair = node->pair.emplace();
  net::IpAddress peer;
  if (reader.ReadAddress("peer", &peer)) pair.peer = peer;
  reader.ReadEnum<Pair::Transport>("transport", kTransports, &pair.transport);
  reader.ReadInteger("virtualRouterId", model::kVirtualRouterIdLimits, &pair.virtual_router_id);
  reader.ReadInteger("priority", model::kVrrpPriorityLimits, &pair.priority);
  reader.ReadBool("preempt", &pair.preempt);
  int64_t interval_ms = absl::ToInt64Milliseconds(pair.advertisement_interval);
  reader.ReadInteger("advertisementIntervalMs", model::kAdvertisementMsLimits, &interval_ms);
  pair.advertisement_interval = absl::Milliseconds(interval_ms);
  reader.ReadEnum<Pair::Checksum>("ipv4Checksum", kChecksums, &pair.checksum);
}

void DecodeEndpoint(const MapReader& reader, absl::string_view field,
                    std::optional<net::Endpoint>* value) {
  std::string text;
  if (!reader.ReadString(field, &text)) return;
  const absl::StatusOr<net::Endpoint> endpoint = net::Endpoint::Parse(text);
  if (endpoint.ok()) {
    *value = *endpoint;
  } else {
    reader.Error(field, std::string(endpoint.status().message()));
  }
}

void DecodeAdmin(const MapReader& spec, model::Node* node) {
  const YamlNode* admin = spec.Find("admin");
  if (admin == nullptr) return;
  const MapReader reader(spec.context(), *admin, spec.PathOf("admin"), kAdminFields);
  DecodeEndpoint(reader, "http", &node->admin_http);
  DecodeEndpoint(reader, "https", &node->admin_https);
}

}  // namespace

void DecodeServerFields(const MapReader& reader, model::ServerSpec* spec) {
  if (reader.Find("address") == nullptr) {
    reader.Error("address", "a real server needs its address; write address: 10.0.0.2");
  }
  reader.ReadServerAddress("address", spec);
  uint16_t port = 0;
  if (reader.ReadInteger("port", model::kPortLimits, &port)) spec->port = port;
  reader.ReadInteger("weight", model::kWeightLimits, &spec->weight);
  reader.ReadInteger("minConnections", model::kConnectionsLimits, &spec->connections_min);
  reader.ReadInteger("maxConnections", model::kConnectionsLimits, &spec->connections_max);
  reader.ReadEnum<AdminState>("state", kAdminStates, &spec->state);
}

void DecodeRealServerSpec(DecodeContext& context, const YamlNode& spec, model::RealServer* server) {
  const MapReader reader(context, spec, "spec", kServerFields);
  DecodeServerFields(reader, &server->spec);
}

void DecodeNodeSpec(DecodeContext& context, const YamlNode& spec, model::Node* node) {
  const MapReader reader(context, spec, "spec", kNodeFields);
  reader.ReadString("interface", &node->interface);
  DecodePair(reader, node);
  DecodeAdmin(reader, node);
  reader.ReadString("stateDirectory", &node->state_directory);
}

void DecodeStringMap(DecodeContext& context, const YamlNode& node, const std::string& path,
                     std::map<std::string, std::string>* out) {
  if (node.kind != YamlNode::Kind::kMapping) {
    context.Error(node, path, absl::StrCat("must be a mapping, not ", DescribeKind(node)));
    return;
  }
  for (size_t i = 0; i < node.keys.size(); ++i) {
    std::string problem;
    const std::optional<absl::string_view> key = ToString(node.keys[i], &problem);
    if (!key.has_value()) {
      context.Error(node.keys[i], path, std::move(problem));
      continue;
    }
    const std::optional<absl::string_view> value = ToString(node.items[i], &problem);
    if (!value.has_value()) {
      context.Error(node.items[i], absl::StrCat(path, ".", *key), std::move(problem));
    } else if (!out->emplace(*key, *value).second) {
      context.Error(node.keys[i], path,
                    absl::StrCat("the key ", model::Quoted(*key), " is there twice; remove one"));
    }
  }
}

}  // namespace fairlead::source
