#include "cmd/fairlead/admin_address.h"

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "pkg/model/node.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {

absl::StatusOr<net::Endpoint> ParseAdminAddress(absl::string_view text) {
  absl::string_view address = absl::StripSuffix(absl::StripPrefix(text, "http://"), "/");
  std::string numeric(address);
  if (absl::ConsumePrefix(&address, "localhost:")) numeric = absl::StrCat("127.0.0.1:", address);
  absl::StatusOr<net::Endpoint> endpoint = net::Endpoint::Parse(numeric);
  if (endpoint.ok() && endpoint->port != 0) return endpoint;
  return absl::InvalidArgumentError(absl::StrCat(
      "admin address ", model::Quoted(text),
      " is not ADDR:PORT with an IP address and a port, for example ", model::kDefaultAdminHttp));
}

absl::StatusOr<net::Endpoint> AdminAddress(const Flags& flags) {
  const char* environment = std::getenv("FAIRLEAD_ADMIN");
  if (!flags.Has(kAdminFlag.name) && environment != nullptr && *environment != '\0') {
    return ParseAdminAddress(environment);
  }
  return ParseAdminAddress(flags.Get(kAdminFlag.name, model::kDefaultAdminHttp));
}

}  // namespace fairlead::cmd
