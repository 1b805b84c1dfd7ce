#include "pkg/controller/name_choice.h"

#include "absl/strings/str_cat.h"
#include "pkg/model/server_fit.h"

namespace fairlead::controller {

NameChoice ChooseAddress(const model::Vip& vip, std::optional<uint16_t> port,
                         const std::optional<net::IpAddress>& current,
                         const resolver::Answer& answer) {
  if (!answer.addresses.ok()) return {current, std::string(answer.addresses.status().message())};
  NameChoice choice;
  for (const net::IpAddress& address : *answer.addresses) {
    std::string misfit = model::AddressProblem(address);
    if (misfit.empty()) misfit = model::ServerMisfit(vip, address, port);
    if (!misfit.empty()) {
      if (choice.problem.empty()) {
        choice.problem = absl::StrCat("it is ", address.ToString(), ": ", misfit);
      }
    } else if (!choice.address.has_value() || current == address) {
      choice.address = address;
    }
  }
  if (choice.address.has_value()) return {choice.address, ""};
  return {current, choice.problem};
}

}  // namespace fairlead::controller
