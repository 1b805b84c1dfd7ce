#include "pkg/model/vip.h"

#include "absl/strings/str_cat.h"

namespace fairlead::model {

const char* ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return "TCP";
    case Protocol::kUdp:
      return "UDP";
    case Protocol::kTcpAndUdp:
      return "TCPAndUDP";
  }
  return "Unknown";
}

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kSnat:
      return "SNAT";
    case Mode::kDr:
      return "DR";
    case Mode::kAuto:
      return "Auto";
  }
  return "Unknown";
}

const char* SchedulerName(Scheduler scheduler) {
  switch (scheduler) {
    case Scheduler::kWeightedLeastConnections:
      return "WeightedLeastConnections";
    case Scheduler::kWeightedRoundRobin:
      return "WeightedRoundRobin";
    case Scheduler::kSourceHash:
      return "SourceHash";
    case Scheduler::kMaglev:
      return "Maglev";
  }
  return "Unknown";
}

const char* AdminStateName(AdminState state) {
  switch (state) {
    case AdminState::kOnline:
      return "Online";
    case AdminState::kDrain:
      return "Drain";
    case AdminState::kHalt:
      return "Halt";
  }
  return "Unknown";
}

const char* ClientAddressName(ClientAddress value) {
  switch (value) {
    case ClientAddress::kNone:
      return "None";
    case ClientAddress::kProxyProtocolV1:
      return "ProxyProtocolV1";
    case ClientAddress::kProxyProtocolV2:
      return "ProxyProtocolV2";
    case ClientAddress::kTransparent:
      return "Transparent";
  }
  return "Unknown";
}

std::string FallbackText(const Fallback& fallback) {
  switch (fallback.action) {
    case Fallback::Action::kReset:
      return "clients are refused (fallback Reset)";
    case Fallback::Action::kDrop:
      return "clients get no answer (fallback Drop)";
    case Fallback::Action::kServer:
      return absl::StrCat("clients get the fallback server ", fallback.server.address.ToString());
  }
  return "";
}

const char* AdvertiseTypeName(Advertise::Type type) {
  switch (type) {
    case Advertise::Type::kNone:
      return "None";
    case Advertise::Type::kL2:
      return "L2";
    case Advertise::Type::kRoute:
      return "Route";
    case Advertise::Type::kService:
      return "Service";
  }
  return "Unknown";
}

}  // namespace fairlead::model
