// Rules of mode DR: what a data plane cannot do that changes nothing but MAC addresses.
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

void CheckWhatIsNotBuiltYet(const Vip& vip, FindingCollector& findings) {
  if (vip.health_check.each_port) {
    findings.Error("spec.healthCheck.port",
                   NotSupportedYet("port Each with mode DR; name one port to check"));
  }
}

void CheckWhatIsChecked(const Vip& vip, FindingCollector& findings) {
  using Type = HealthCheck::Type;
  const HealthCheck& check = vip.health_check;
  if (check.type == Type::kIcmp || check.type == Type::kNone || check.port != 0) return;
  if (vip.ports.is_all()) {
    findings.Error("spec.healthCheck.port",
                   "the VIP has every port, so that none of them is the obvious one to check; name "
                   "the port");
  } else if (vip.protocol == Protocol::kUdp) {
    findings.Warning("spec.healthCheck.port",
                     absl::StrCat("the VIP is UDP, but its check connects by TCP to port ",
                                  vip.ports.empty() ? 0 : vip.ports.first(),
                                  "; name a TCP port that tells whether the server works, or use "
                                  "type: ICMP"));
  }
}

}  // namespace

void CheckDirectRouting(const Vip& vip, FindingCollector& findings) {
  if (vip.mode != Mode::kDr) return;
  CheckWhatOnlyAProxyCanDo(vip, findings);
  CheckWhatIsNotBuiltYet(vip, findings);
  CheckWhatIsChecked(vip, findings);
}

}  // namespace fairlead::model
