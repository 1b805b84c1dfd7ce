// The PROXY header that a real server gets: for every pair of addresses it must parse, by the rules
// of the protocol's text and not by our code, to exactly that pair.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "pkg/dataplane/snat/proxy_header.h"

namespace {

using fairlead::net::Endpoint;
using fairlead::net::IpAddress;

Endpoint TakeEndpoint(absl::Span<const uint8_t>& input) {
  const size_t size = !input.empty() && input[0] % 2 == 0 ? 4 : 16;
  uint8_t bytes[19] = {};
  for (size_t i = 0; i < size + 3 && i < input.size(); ++i) bytes[i] = input[i];
  input.remove_prefix(std::min(input.size(), size + 3));
  return {IpAddress::FromBytes(absl::MakeConstSpan(bytes + 1, size)),
          static_cast<uint16_t>(bytes[size + 1] << 8 | bytes[size + 2])};
}

void Require(bool condition) {
  if (!condition) std::abort();
}

// §2.1: at most 107 bytes, one blank between fields, CRLF at the end.
void CheckVersion1(const std::string& header, const Endpoint& client, const Endpoint& vip) {
  Require(header.size() <= 107 && header.substr(header.size() - 2) == "\r\n");
  const std::vector<std::string> fields = absl::StrSplit(header.substr(0, header.size() - 2), ' ');
  Require(fields[0] == "PROXY");
  if (client.address.family() != vip.address.family()) return Require(fields[1] == "UNKNOWN");
  Require(fields.size() == 6 && fields[1] == (client.address.is_ipv4() ? "TCP4" : "TCP6"));
  Require(*IpAddress::Parse(fields[2]) == client.address);
  Require(*IpAddress::Parse(fields[3]) == vip.address);
  Require(fields[4] == std::to_string(client.port) && fields[5] == std::to_string(vip.port));
}

// §2.2: signature, version and command, family, length, addresses, ports in network order.
void CheckVersion2(const std::string& header, const Endpoint& client, const Endpoint& vip) {
  Require(header.size() >= 16 && header.substr(0, 12) == std::string("\r\n\r\n\0\r\nQUIT\n", 12));
  const auto* bytes = reinterpret_cast<const uint8_t*>(header.data());
  Require(bytes[12] == 0x21 && header.size() == 16u + (bytes[14] << 8 | bytes[15]));
  if (client.address.family() != vip.address.family()) return Require(bytes[13] == 0);
  const size_t size = client.address.is_ipv4() ? 4 : 16;
  Require(bytes[13] == (size == 4 ? 0x11 : 0x21) && header.size() == 16 + 2 * size + 4);
  Require(IpAddress::FromBytes(absl::MakeConstSpan(bytes + 16, size)) == client.address);
  Require(IpAddress::FromBytes(absl::MakeConstSpan(bytes + 16 + size, size)) == vip.address);
  const uint8_t* ports = bytes + 16 + 2 * size;
  Require((ports[0] << 8 | ports[1]) == client.port && (ports[2] << 8 | ports[3]) == vip.port);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::Span<const uint8_t> input(data, size);
  const Endpoint client = TakeEndpoint(input);
  const Endpoint vip = TakeEndpoint(input);
  using fairlead::dataplane::snat::MakeProxyHeader;
  using fairlead::model::ClientAddress;
  CheckVersion1(MakeProxyHeader(ClientAddress::kProxyProtocolV1, client, vip), client, vip);
  CheckVersion2(MakeProxyHeader(ClientAddress::kProxyProtocolV2, client, vip), client, vip);
  return 0;
}
