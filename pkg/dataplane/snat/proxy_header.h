// The PROXY protocol header, versions 1 and 2, as a sender writes it ("The PROXY protocol",
// haproxy.org/download/2.9/doc/proxy-protocol.txt, §2.1 and §2.2).
#pragma once

#include <string>

#include "pkg/model/vip.h"
#include "pkg/net/endpoint.h"

namespace fairlead::dataplane::snat {

// At most 107 bytes for version 1 (§2.1), 52 for version 2. Both endpoints are of one family, as
// those of one accepted connection are; otherwise the header says that the address is not known
// ("PROXY UNKNOWN", AF_UNSPEC). `version` is kProxyProtocolV1 or kProxyProtocolV2.
std::string MakeProxyHeader(model::ClientAddress version, const net::Endpoint& client,
                            const net::Endpoint& vip);

}  // namespace fairlead::dataplane::snat
