#include "pkg/controller/explain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/net/port_set.h"

namespace fairlead::controller {
namespace {

absl::StatusOr<net::Endpoint> ParseClient(const std::string& text) {
  if (const auto address = net::IpAddress::Parse(text); address.ok()) {
    return net::Endpoint{*address, 0};
  }
  return net::Endpoint::Parse(text);
}

bool HasAddress(const VipView& vip, const net::IpAddress& address) {
  return std::any_of(vip.addresses.begin(), vip.addresses.end(),
                     [&](const auto& outcome) { return outcome.address == address; });
}

bool HasPort(const VipView& vip, uint16_t port) {
  const auto ports = net::PortSet::Parse(vip.ports);
  return ports.ok() && ports->Contains(port);
}

const VipView* FindVip(const ControlView& view, const net::Endpoint& wanted) {
  for (const VipView& vip : view.vips) {
    if (HasAddress(vip, wanted.address) && HasPort(vip, wanted.port)) return &vip;
  }
  return nullptr;
}

}  // namespace

ExplanationView ExplainNoService(const ControlView& view, const net::Endpoint& wanted) {
  ExplanationView explanation;
  if (const VipView* vip = FindVip(view, wanted)) {
    explanation.vip = vip->QualifiedName();
    explanation.reason = absl::StrCat(
        "VIP ", explanation.vip, " has this address and port, but it is not served: ",
        vip->problem.empty() ? "the plan is not in force yet; ask again" : vip->problem);
    return explanation;
  }
  explanation.reason = absl::StrCat("no VIP has the address and port ", wanted.ToString(),
                                    "; the host itself answers such a client (refused, or another "
                                    "program that listens there)");
  for (const VipView& vip : view.vips) {
    if (!HasAddress(vip, wanted.address)) continue;
    explanation.details.push_back(absl::StrCat(
        "VIP ", vip.QualifiedName(), " has the address ", wanted.address.ToString(),
        ", with the ports ", vip.ports, "; add ", wanted.port, " to spec.ports to serve it"));
  }
  return explanation;
}

absl::StatusOr<ExplanationView> ExplainClient(const ControlView& view,
                                              const dataplane::DataPlane& plane,
                                              const std::string& client, const std::string& vip) {
  const absl::StatusOr<net::Endpoint> from = ParseClient(client);
  if (!from.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("client: ", from.status().message(), "; write IP or IP:PORT"));
  }
  const absl::StatusOr<net::Endpoint> to = net::Endpoint::Parse(vip);
  if (!to.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("vip: ", to.status().message(), "; write ADDRESS:PORT"));
  }
  absl::StatusOr<dataplane::Explanation> answer = plane.Explain(*from, *to);
  if (absl::IsNotFound(answer.status())) return ExplainNoService(view, *to);
  if (!answer.ok()) return answer.status();
  const VipView* found = FindVip(view, *to);
  ExplanationView explanation;
  explanation.vip = found == nullptr ? "" : found->QualifiedName();
  explanation.server = answer->server;
  if (!answer->server.empty()) explanation.server_endpoint = answer->server_endpoint.ToString();
  explanation.reason = std::move(answer->reason);
  explanation.details = std::move(answer->details);
  return explanation;
}

}  // namespace fairlead::controller
