// Rules of modes DR and Auto: what a data plane cannot do that changes nothing but MAC addresses,
// and what cannot be half direct and half proxied.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "pkg/model/validate_internal.h"

namespace fairlead::model {
namespace {

void CheckWhatOnlyAProxyCanDo(const Vip& vip, FindingCollector& findings) {
  if (vip.client_address != ClientAddress::kNone) {
    findings.Error(
        "spec.clientAddress",
        "mode DR leaves the client's address in the packet anyway; remove clientAddress");
  }
  if (vip.source.type != SourceAddress::Type::kAuto) {
    findings.Error("spec.source.type",
                   "mode DR opens no connections of its own, so that there is no source address; "
                   "remove source, or use mode: SNAT");
  }
}

// A server of an Auto VIP is reached directly now and by the proxy then, and must not mind which.
void CheckWhatBothWaysShare(const Vip& vip, FindingCollector& findings) {
  if (vip.client_address == ClientAddress::kProxyProtocolV1 ||
      vip.client_address == ClientAddress::kProxyProtocolV2) {
    findings.Error("spec.clientAddress",
                   "a real server that waits for a PROXY header cannot be reached directly, where "
                   "there is none; use mode: SNAT, or clientAddress None or Transparent");
  }
  // It would answer itself.
  const bool from_vip = vip.source.type == SourceAddress::Type::kVip ||
                        (vip.source.type == SourceAddress::Type::kAddress &&
                         std::find(vip.addresses.begin(), vip.addresses.end(),
                                   vip.source.address) != vip.addresses.end());
  if (from_vip) {
    findings.Error("spec.source.type",
                   "in mode Auto real servers have the VIP too, so that none can be connected to "
                   "from it; remove source, or use mode: SNAT");
  }
  if (vip.protocol == Protocol::kUdp) {
    findings.Error("spec.protocol",
                   NotSupportedYet("protocol UDP alone with mode Auto, as the proxy carries TCP "
                                   "only; use mode: DR"));
  }
}

// The program counts its own flows and the proxy its own: nobody counts both.
void CheckWhatCountsConnections(const Vip& vip, FindingCollector& findings) {
  if (vip.scheduler == Scheduler::kWeightedLeastConnections) {
    findings.Error("spec.scheduler",
                   NotSupportedYet("scheduler WeightedLeastConnections with mode Auto; use Maglev, "
                                   "WeightedRoundRobin or SourceHash"));
  }
  if (vip.connections_max != 0) {
    findings.Error("spec.maxConnections",
                   NotSupportedYet("maxConnections with mode Auto; remove it, or use mode: SNAT or "
                                   "DR"));
  }
}

void CheckWhatIsNotBuiltYet(const Vip& vip, FindingCollector& findings) {
  const std::string with_mode = absl::StrCat(" with mode ", ModeName(vip.mode));
  if (vip.health_check.each_port) {
    findings.Error(
        "spec.healthCheck.port",
        NotSupportedYet(absl::StrCat("port Each", with_mode, "; name one port to check")));
  }
}

// The port that is checked is only the VIP's first one (FillDefaults): nobody named it.
bool IsPortAGuess(const Vip& vip) {
  using Type = HealthCheck::Type;
  const HealthCheck& check = vip.health_check;
  const bool has_port = check.type != Type::kIcmp && check.type != Type::kNone && !check.each_port;
  return has_port && !check.port_from_manifest && !vip.ports.empty() &&
         check.port == vip.ports.first();
}

void CheckWhatIsChecked(const Vip& vip, FindingCollector& findings) {
  if (!IsPortAGuess(vip)) return;
  if (vip.ports.is_all()) {
    findings.Error("spec.healthCheck.port",
                   "the VIP has every port, so that none of them is the obvious one to check; name "
                   "the port");
  } else if (vip.protocol == Protocol::kUdp) {
    findings.Warning(
        "spec.healthCheck.port",
        absl::StrCat("the VIP is UDP, but its check connects by TCP to port ", vip.ports.first(),
                     "; name a TCP port that tells whether the server works, or use "
                     "type: ICMP"));
  }
}

}  // namespace

void CheckDirectRouting(const Vip& vip, FindingCollector& findings) {
  switch (vip.mode) {
    case Mode::kSnat:
      return;
    case Mode::kDr:
      CheckWhatOnlyAProxyCanDo(vip, findings);
      CheckWhatIsChecked(vip, findings);
      break;
    case Mode::kAuto:
      CheckWhatBothWaysShare(vip, findings);
      CheckWhatCountsConnections(vip, findings);
      break;
  }
  CheckWhatIsNotBuiltYet(vip, findings);
}

}  // namespace fairlead::model
