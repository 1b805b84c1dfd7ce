// `spec` of a VIP.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/model/finding_collector.h"
#include "pkg/source/object_decoders.h"

namespace fairlead::source {
namespace {

using model::Advertise;
using model::ClientAddress;
using model::Fallback;
using model::Mode;
using model::Persistence;
using model::Protocol;
using model::Scheduler;
using model::SourceAddress;

constexpr absl::string_view kSpecFields[] = {
    "addresses",      "addressPoolRef", "ports",           "presets",   "protocol",
    "mode",           "scheduler",      "source",          "advertise", "persistence",
    "healthCheck",    "realServers",    "fallback",        "state",     "clientAddress",
    "maxConnections", "timeouts",       "slowStartSeconds"};

constexpr NamedValue<Protocol> kProtocols[] = {
    {"TCP", Protocol::kTcp}, {"UDP", Protocol::kUdp}, {"TCPAndUDP", Protocol::kTcpAndUdp}};
constexpr NamedValue<Mode> kModes[] = {
    {"SNAT", Mode::kSnat}, {"DR", Mode::kDr}, {"Auto", Mode::kAuto}};
constexpr NamedValue<Scheduler> kSchedulers[] = {
    {"WeightedLeastConnections", Scheduler::kWeightedLeastConnections},
    {"WeightedRoundRobin", Scheduler::kWeightedRoundRobin},
    {"SourceHash", Scheduler::kSourceHash},
    {"Maglev", Scheduler::kMaglev}};
constexpr NamedValue<Persistence::Type> kPersistenceTypes[] = {
    {"None", Persistence::Type::kNone}, {"SourceIP", Persistence::Type::kSourceIp}};
constexpr NamedValue<Fallback::Action> kFallbackActions[] = {{"Reset", Fallback::Action::kReset},
                                                             {"Drop", Fallback::Action::kDrop},
                                                             {"Server", Fallback::Action::kServer}};
constexpr NamedValue<ClientAddress> kClientAddresses[] = {
    {"None", ClientAddress::kNone},
    {"ProxyProtocolV1", ClientAddress::kProxyProtocolV1},
    {"ProxyProtocolV2", ClientAddress::kProxyProtocolV2},
    {"Transparent", ClientAddress::kTransparent}};
constexpr NamedValue<SourceAddress::Type> kSourceTypes[] = {
    {"Auto", SourceAddress::Type::kAuto},
    {"VIP", SourceAddress::Type::kVip},
    {"Address", SourceAddress::Type::kAddress}};
constexpr NamedValue<Advertise::Type> kAdvertiseTypes[] = {{"None", Advertise::Type::kNone},
                                                           {"L2", Advertise::Type::kL2},
                                                           {"Route", Advertise::Type::kRoute},
                                                           {"Service", Advertise::Type::kService}};
constexpr NamedValue<bool> kStates[] = {{"Enabled", true}, {"Disabled", false}};

constexpr absl::string_view kPersistenceFields[] = {"type", "timeoutSeconds", "ipv4PrefixLength",
                                                    "ipv6PrefixLength"};
constexpr absl::string_view kRealServersFields[] = {"selector", "service", "list"};
constexpr absl::string_view kPoolRefFields[] = {"name"};
constexpr absl::string_view kServiceFields[] = {"name", "port"};
constexpr absl::string_view kSelectorFields[] = {"matchLabels", "matchExpressions"};
constexpr absl::string_view kInlineFields[] = {"name",           "address",        "port", "weight",
                                               "minConnections", "maxConnections", "state"};
constexpr absl::string_view kFallbackFields[] = {"action", "address", "port"};
constexpr absl::string_view kSourceFields[] = {"type", "address"};
constexpr absl::string_view kTimeoutFields[] = {"connectSeconds", "idleSeconds", "drainSeconds"};
constexpr absl::string_view kAdvertiseFields[] = {"type", "interface"};

void DecodeAddresses(const MapReader& spec, model::Vip* vip) {
  const YamlNode* node = spec.Find("addresses");
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::kSequence) {
    spec.Error("addresses",
               absl::StrCat("must be a list such as [10.0.0.1], not ", DescribeKind(*node)));
    return;
  }
  for (size_t i = 0; i < node->items.size(); ++i) {
    std::string problem;
    const std::optional<net::IpAddress> address = ToAddress(node->items[i], &problem);
    if (!address.has_value()) {
      spec.context().Error(node->items[i], absl::StrCat(spec.PathOf("addresses"), "[", i, "]"),
                           std::move(problem));
    }
    // A bad address keeps its place, so that later ones are told by their own number.
    vip->addresses.push_back(address.value_or(net::IpAddress()));
  }
}

void DecodeAddressPoolRef(const MapReader& spec, model::Vip* vip) {
  const YamlNode* node = spec.Find("addressPoolRef");
  if (node == nullptr) return;
  const MapReader reader(spec.context(), *node, spec.PathOf("addressPoolRef"), kPoolRefFields);
  if (!reader.ReadString("name", &vip->address_pool) && reader.Find("name") == nullptr) {
    reader.Error("name", "name the AddressPool that the address comes from");
  }
  if (spec.Find("addresses") == nullptr) return;
  spec.Error("addresses",
             "a VIP has either addresses or an addressPoolRef, and not both; remove one of them");
}

void DecodePersistence(const MapReader& spec, Persistence* persistence) {
  const YamlNode* node = spec.Find("persistence");
  if (node == nullptr) return;
  const MapReader reader(spec.context(), *node, spec.PathOf("persistence"), kPersistenceFields);
  reader.ReadEnum<Persistence::Type>("type", kPersistenceTypes, &persistence->type);
  reader.ReadSeconds("timeoutSeconds", model::kPersistenceTimeoutLimits, &persistence->timeout);
  reader.ReadInteger("ipv4PrefixLength", model::kIpv4PrefixLimits,
                     &persistence->ipv4_prefix_length);
  reader.ReadInteger("ipv6PrefixLength", model::kIpv6PrefixLimits,
                     &persistence->ipv6_prefix_length);
}

void DecodeInlineServer(DecodeContext& context, const YamlNode& node, const std::string& path,
                        size_t index, model::InlineServer* server) {
  const MapReader reader(context, node, path, kInlineFields);
  DecodeServerFields(reader, &server->spec);
  if (reader.ReadString("name", &server->name)) return;
  // Without an address there is an error already; the number keeps the names distinct.
  const bool has_place = server->spec.has_host_name() || !server->spec.address.is_unspecified();
  server->name = has_place ? server->spec.AddressText() : absl::StrCat("entry-", index);
}

void DecodeSelector(const MapReader& real_servers, model::Vip* vip) {
  const YamlNode* node = real_servers.Find("selector");
  if (node == nullptr) return;
  const std::string path = real_servers.PathOf("selector");
  const MapReader reader(real_servers.context(), *node, path, kSelectorFields);
  reader.RefuseUnsupported("matchExpressions", "matchExpressions; use matchLabels");
  if (const YamlNode* labels = reader.Find("matchLabels"); labels != nullptr) {
    DecodeStringMap(real_servers.context(), *labels, reader.PathOf("matchLabels"), &vip->selector);
  }
  if (vip->selector.empty()) {
    real_servers.Error("selector",
                       absl::StrCat("a selector without labels would take every server; write "
                                    "matchLabels: {",
                                    model::kVipLabel, ": ", vip->id.name, "}"));
  }
}

// A number is the endpoints' port, a word the name of one.
void DecodeServicePort(const MapReader& service, model::ServiceRef* ref) {
  const YamlNode* port = service.Find("port");
  if (port == nullptr) return;
  std::string problem;
  const std::optional<absl::string_view> name = ToString(*port, &problem);
  if (name.has_value()) {
    ref->port_name = std::string(*name);
  } else {
    service.ReadInteger("port", model::kPortLimits, &ref->port);
  }
}

void DecodeService(const MapReader& real_servers, model::ServiceRef* ref) {
  const YamlNode* node = real_servers.Find("service");
  if (node == nullptr) return;
  const MapReader reader(real_servers.context(), *node, real_servers.PathOf("service"),
                         kServiceFields);
  if (!reader.ReadString("name", &ref->name) && reader.Find("name") == nullptr) {
    reader.Error("name", "name the Service whose endpoints are the real servers");
  }
  DecodeServicePort(reader, ref);
}

void DecodeRealServers(const MapReader& spec, model::Vip* vip) {
  const YamlNode* node = spec.Find("realServers");
  if (node == nullptr) return;
  const MapReader reader(spec.context(), *node, spec.PathOf("realServers"), kRealServersFields);
  DecodeService(reader, &vip->service);
  DecodeSelector(reader, vip);
  const YamlNode* list = reader.Find("list");
  if (list == nullptr) return;
  if (list->kind != YamlNode::Kind::kSequence) {
    reader.Error("list", absl::StrCat("must be a list of servers, not ", DescribeKind(*list)));
    return;
  }
  vip->inline_servers.resize(list->items.size());
  for (size_t i = 0; i < list->items.size(); ++i) {
    DecodeInlineServer(spec.context(), list->items[i],
                       absl::StrCat(reader.PathOf("list"), "[", i, "]"), i,
                       &vip->inline_servers[i]);
  }
}

void DecodeFallback(const MapReader& spec, Fallback* fallback) {
  const YamlNode* node = spec.Find("fallback");
  if (node == nullptr) return;
  const MapReader reader(spec.context(), *node, spec.PathOf("fallback"), kFallbackFields);
  const bool has_action =
      reader.ReadEnum<Fallback::Action>("action", kFallbackActions, &fallback->action);
  if (!has_action && reader.Find("action") != nullptr) return;
  const bool is_server = fallback->action == Fallback::Action::kServer;
  for (const absl::string_view field : {"address", "port"}) {
    if (is_server || reader.Find(field) == nullptr) continue;
    reader.Error(field, absl::StrCat(field,
                                     " is for action Server only; set the action or remove "
                                     "the ",
                                     field));
  }
  if (!is_server) return;
  if (reader.Find("address") == nullptr) {
    reader.Error("address", "action Server needs the address of the server");
  }
  reader.ReadAddress("address", &fallback->server.address);
  reader.ReadInteger("port", model::kPortLimits, &fallback->server.port);
}

void DecodeSource(const MapReader& spec, SourceAddress* source) {
  const YamlNode* node = spec.Find("source");
  if (node == nullptr) return;
  const MapReader reader(spec.context(), *node, spec.PathOf("source"), kSourceFields);
  const bool has_type = reader.ReadEnum<SourceAddress::Type>("type", kSourceTypes, &source->type);
  if (!has_type && reader.Find("type") != nullptr) return;
  const bool is_address = source->type == SourceAddress::Type::kAddress;
  const bool has_address = reader.Find("address") != nullptr;
  if (is_address && !has_address) {
    reader.Error("address", "type Address needs the address to connect from");
  } else if (!is_address && has_address) {
    reader.Error("address", "an address is for type Address only; set the type or remove it");
  } else {
    reader.ReadAddress("address", &source->address);
  }
}

void DecodeTimeouts(const MapReader& spec, model::Timeouts* timeouts) {
  const YamlNode* node = spec.Find("timeouts");
  if (node == nullptr) return;
  const MapReader reader(spec.context(), *node, spec.PathOf("timeouts"), kTimeoutFields);
  reader.ReadSeconds("connectSeconds", model::kConnectTimeoutLimits, &timeouts->connect);
  reader.ReadSeconds("idleSeconds", model::kIdleTimeoutLimits, &timeouts->idle);
  reader.ReadSeconds("drainSeconds", model::kDrainTimeoutLimits, &timeouts->drain);
}

void DecodeAdvertise(const MapReader& spec, Advertise* advertise) {
  const YamlNode* node = spec.Find("advertise");
  if (node == nullptr) return;
  const MapReader reader(spec.context(), *node, spec.PathOf("advertise"), kAdvertiseFields);
  reader.ReadEnum<Advertise::Type>("type", kAdvertiseTypes, &advertise->type);
  reader.ReadString("interface", &advertise->interface);
}

}  // namespace

void DecodeVipSpec(DecodeContext& context, const YamlNode& spec, model::Vip* vip) {
  const MapReader reader(context, spec, "spec", kSpecFields);
  DecodeAddresses(reader, vip);
  DecodeAddressPoolRef(reader, vip);
  if (const YamlNode* ports = reader.Find("ports"); ports != nullptr) {
    DecodePorts(context, *ports, reader.PathOf("ports"), &vip->ports);
  }
  if (const YamlNode* presets = reader.Find("presets"); presets != nullptr) {
    DecodePresets(context, *presets, reader.PathOf("presets"), vip);
  }
  reader.ReadEnum<Protocol>("protocol", kProtocols, &vip->protocol);
  reader.ReadEnum<Mode>("mode", kModes, &vip->mode);
  // The default scheduler depends on the mode: what one server decides must be decided alike by
  // all of a DR pair.
  if (vip->mode != Mode::kSnat) vip->scheduler = Scheduler::kMaglev;
  reader.ReadEnum<Scheduler>("scheduler", kSchedulers, &vip->scheduler);
  DecodePersistence(reader, &vip->persistence);
  if (const YamlNode* check = reader.Find("healthCheck"); check != nullptr) {
    DecodeHealthCheck(context, *check, &vip->health_check);
  }
  DecodeRealServers(reader, vip);
  DecodeFallback(reader, &vip->fallback);
  reader.ReadEnum<ClientAddress>("clientAddress", kClientAddresses, &vip->client_address);
  DecodeSource(reader, &vip->source);
  DecodeTimeouts(reader, &vip->timeouts);
  reader.ReadInteger("maxConnections", model::kConnectionsLimits, &vip->connections_max);
  reader.ReadSeconds("slowStartSeconds", model::kSlowStartLimits, &vip->slow_start);
  reader.ReadEnum<bool>("state", kStates, &vip->enabled);
  DecodeAdvertise(reader, &vip->advertise);
}

}  // namespace fairlead::source
