// Objects to start from in the tests of pkg/model, and how to look for findings.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "pkg/model/defaults.h"
#include "pkg/model/desired_state.h"

namespace fairlead::model {

inline net::IpAddress Address(absl::string_view text) { return *net::IpAddress::Parse(text); }
inline net::PortSet Ports(absl::string_view text) { return *net::PortSet::Parse(text); }

// A VIP without any finding.
inline Vip GoodVip(const std::string& name = "dispatcher",
                   absl::string_view address = "10.10.10.150", absl::string_view ports = "80,443") {
  Vip vip;
  vip.id = {ObjectKind::kVip, "default", name};
  vip.location = {"test.yaml", 1, 1};
  vip.addresses = {Address(address)};
  vip.ports = Ports(ports);
  FillDefaults(vip);
  return vip;
}

inline InlineServer MakeInline(const std::string& name, absl::string_view address) {
  InlineServer server;
  server.name = name;
  server.spec.address = Address(address);
  return server;
}

// A RealServer object of the VIP `vip`, without any finding.
inline RealServer GoodServer(const std::string& name = "srv-1",
                             absl::string_view address = "10.10.10.151",
                             const std::string& vip = "dispatcher") {
  RealServer server;
  server.id = {ObjectKind::kRealServer, "default", name};
  server.location = {"test.yaml", 1, 1};
  server.labels = {{kVipLabel, vip}};
  server.spec.address = Address(address);
  return server;
}

inline std::vector<std::string> Lines(const std::vector<Finding>& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings) {
    lines.push_back((finding.severity == Severity::kError ? "error " : "warning ") + finding.field +
                    ": " + finding.message);
  }
  return lines;
}

// That there is exactly one finding, an error (a warning) of `field` that contains `text`.
inline auto IsError(const std::string& field, const std::string& text) {
  return ::testing::ElementsAre(
      ::testing::AllOf(::testing::StartsWith("error " + field + ": "), ::testing::HasSubstr(text)));
}
inline auto IsWarning(const std::string& field, const std::string& text) {
  return ::testing::ElementsAre(::testing::AllOf(::testing::StartsWith("warning " + field + ": "),
                                                 ::testing::HasSubstr(text)));
}

}  // namespace fairlead::model
