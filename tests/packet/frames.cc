#include "tests/packet/frames.h"

#include <cstdlib>
#include <iostream>

namespace fairlead::dataplane::dr {
namespace {

void Put16(uint16_t value, Bytes* bytes) {
  bytes->push_back(static_cast<uint8_t>(value >> 8));
  bytes->push_back(static_cast<uint8_t>(value));
}

void Put(const Bytes& more, Bytes* bytes) { bytes->insert(bytes->end(), more.begin(), more.end()); }

void PutAddress(const net::IpAddress& address, Bytes* bytes) {
  bytes->insert(bytes->end(), address.bytes().begin(), address.bytes().end());
}

net::IpAddress Parse(const std::string& text) {
  const auto address = net::IpAddress::Parse(text);
  if (!address.ok()) {
    std::cerr << address.status() << "\n";
    std::abort();
  }
  return *address;
}

}  // namespace

Mac ServerMac(uint8_t index) { return {2, 0, 0, 0, 1, index}; }

Flow MakeFlow(const std::string& client, uint16_t client_port, const std::string& vip,
              uint16_t vip_port) {
  return {Parse(client), Parse(vip), client_port, vip_port};
}

Bytes Ethernet(uint16_t type, const Bytes& payload, const Mac& destination) {
  Bytes frame(destination.begin(), destination.end());
  frame.insert(frame.end(), kRouterMac.begin(), kRouterMac.end());
  Put16(type, &frame);
  Put(payload, &frame);
  return frame;
}

Bytes VlanTag(uint16_t identifier, uint16_t type, const Bytes& payload) {
  Bytes bytes;
  Put16(identifier | 0x6000, &bytes);  // with a priority, which is no part of the identifier
  Put16(type, &bytes);
  Put(payload, &bytes);
  return bytes;
}

Bytes Ipv4(const Flow& flow, uint8_t protocol, const Bytes& payload, Ipv4Options options) {
  const size_t header = 20 + options.options.size();
  Bytes bytes = {static_cast<uint8_t>(0x40 | header / 4), 0};
  Put16(static_cast<uint16_t>(header + payload.size()), &bytes);
  Put16(options.id, &bytes);
  Put16(options.fragment, &bytes);
  Put({64, protocol, 0xab, 0xcd}, &bytes);  // the checksum is not looked at
  PutAddress(flow.client, &bytes);
  PutAddress(flow.vip, &bytes);
  Put(options.options, &bytes);
  Put(payload, &bytes);
  return bytes;
}

Bytes Ipv6(const Flow& flow, uint8_t next_header, const Bytes& payload) {
  Bytes bytes = {0x60, 0x12, 0x34, 0x56};  // with a traffic class and a flow label
  Put16(static_cast<uint16_t>(payload.size()), &bytes);
  Put({next_header, 64}, &bytes);
  PutAddress(flow.client, &bytes);
  PutAddress(flow.vip, &bytes);
  Put(payload, &bytes);
  return bytes;
}

Bytes Extension(uint8_t next_header, uint8_t units, const Bytes& payload, uint8_t fill) {
  Bytes bytes = {next_header, units, fill, fill, fill, fill, fill, fill};
  bytes.resize(8 + size_t{units} * 8);
  Put(payload, &bytes);
  return bytes;
}

Bytes Fragment(uint8_t next_header, uint16_t offset, bool more, uint32_t id, const Bytes& payload) {
  Bytes bytes = {next_header, 0};
  Put16(static_cast<uint16_t>(offset << 3 | (more ? 1 : 0)), &bytes);
  Put16(static_cast<uint16_t>(id >> 16), &bytes);
  Put16(static_cast<uint16_t>(id), &bytes);
  Put(payload, &bytes);
  return bytes;
}

Bytes Tcp(const Flow& flow, uint8_t flags, const Bytes& payload) {
  Bytes bytes;
  Put16(flow.client_port, &bytes);
  Put16(flow.vip_port, &bytes);
  Put({1, 2, 3, 4, 5, 6, 7, 8, 0x50, flags, 0xff, 0xff, 0x12, 0x34, 0, 0}, &bytes);
  Put(payload, &bytes);
  return bytes;
}

Bytes Udp(const Flow& flow, const Bytes& payload) {
  Bytes bytes;
  Put16(flow.client_port, &bytes);
  Put16(flow.vip_port, &bytes);
  Put16(static_cast<uint16_t>(8 + payload.size()), &bytes);
  Put16(0x1234, &bytes);
  Put(payload, &bytes);
  return bytes;
}

Bytes Icmp(uint8_t type, uint8_t code, const Bytes& quoted) {
  Bytes bytes = {type, code, 0x12, 0x34, 0, 0, 5, 0xdc};
  Put(quoted, &bytes);
  return bytes;
}

Bytes TcpFrame(const Flow& flow, uint8_t flags) {
  return flow.vip.is_ipv4() ? Ethernet(kTypeIpv4, Ipv4(flow, IPPROTO_TCP, Tcp(flow, flags)))
                            : Ethernet(kTypeIpv6, Ipv6(flow, IPPROTO_TCP, Tcp(flow, flags)));
}

Bytes UdpFrame(const Flow& flow) {
  return flow.vip.is_ipv4() ? Ethernet(kTypeIpv4, Ipv4(flow, IPPROTO_UDP, Udp(flow)))
                            : Ethernet(kTypeIpv6, Ipv6(flow, IPPROTO_UDP, Udp(flow)));
}

}  // namespace fairlead::dataplane::dr
