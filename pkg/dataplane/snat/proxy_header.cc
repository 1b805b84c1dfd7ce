#include "pkg/dataplane/snat/proxy_header.h"

#include "absl/strings/str_cat.h"

namespace fairlead::dataplane::snat {
namespace {

constexpr char kSignature[] = "\r\n\r\n\0\r\nQUIT\n";  // 12 bytes, §2.2
constexpr char kVersion2Proxy = 0x21;
constexpr char kTcpOverIpv4 = 0x11;
constexpr char kTcpOverIpv6 = 0x21;
constexpr char kUnspecified = 0x00;

void AppendUint16(std::string* out, uint16_t value) {
  out->push_back(static_cast<char>(value >> 8));
  out->push_back(static_cast<char>(value & 0xff));
}

void AppendAddress(std::string* out, const net::IpAddress& address) {
  for (const uint8_t byte : address.bytes()) out->push_back(static_cast<char>(byte));
}

std::string MakeVersion1(const net::Endpoint& client, const net::Endpoint& vip) {
  if (client.address.family() != vip.address.family()) return "PROXY UNKNOWN\r\n";
  return absl::StrCat("PROXY ", client.address.is_ipv4() ? "TCP4 " : "TCP6 ",
                      client.address.ToString(), " ", vip.address.ToString(), " ", client.port, " ",
                      vip.port, "\r\n");
}

std::string MakeVersion2(const net::Endpoint& client, const net::Endpoint& vip) {
  std::string header(kSignature, 12);
  header.push_back(kVersion2Proxy);
  if (client.address.family() != vip.address.family()) {
    header.push_back(kUnspecified);
    AppendUint16(&header, 0);
    return header;
  }
  header.push_back(client.address.is_ipv4() ? kTcpOverIpv4 : kTcpOverIpv6);
  AppendUint16(&header, static_cast<uint16_t>(2 * client.address.bytes().size() + 4));
  AppendAddress(&header, client.address);
  AppendAddress(&header, vip.address);
  AppendUint16(&header, client.port);
  AppendUint16(&header, vip.port);
  return header;
}

}  // namespace

std::string MakeProxyHeader(model::ClientAddress version, const net::Endpoint& client,
                            const net::Endpoint& vip) {
  return version == model::ClientAddress::kProxyProtocolV1 ? MakeVersion1(client, vip)
                                                           : MakeVersion2(client, vip);
}

}  // namespace fairlead::dataplane::snat
