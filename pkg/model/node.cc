#include "pkg/model/node.h"

namespace fairlead::model {

net::Endpoint AdminHttpEndpoint(const std::optional<net::Endpoint>& flag,
                                const std::optional<Node>& node) {
  if (flag.has_value()) return *flag;
  if (node.has_value() && node->admin_http.has_value()) return *node->admin_http;
  return *net::Endpoint::Parse(kDefaultAdminHttp);
}

}  // namespace fairlead::model
