// The frames by which hosts are asked who has an address, and by which they claim to: ARP (RFC 826)
// and neighbour discovery (RFC 4861). Pure.
//
// Who means to take an address for itself asks another question of IPv6: see BuildDuplicateProbe.
//
// The questions poison no cache and ask nobody to do more than answer:
//  - IPv4: an ARP probe as in RFC 5227 §1.1, with 0.0.0.0 as its sender, so that nobody learns
//    anything from it. Its answer is unicast.
//  - IPv6: a neighbour solicitation from an address of this host with its own MAC (RFC 4861 §4.3).
//    Who answers learns that pair alone, which is true; the VIP is only what is asked for. The form
//    that has no sender, the one of duplicate address detection, is worse: its answer goes to all
//    nodes with the override flag (RFC 4861 §7.2.4), and every host of the network that knows the
//    VIP would take the wrong server's MAC for it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "pkg/net/ip_address.h"
#include "pkg/net/mac_address.h"

namespace fairlead::arp {

// A host says that an address is at its MAC.
struct Claim {
  net::IpAddress address;
  net::MacAddress mac{};
  friend bool operator==(const Claim&, const Claim&) = default;
  friend auto operator<=>(const Claim&, const Claim&) = default;
};

// To all hosts of the network: who has `target`, an IPv4 address?
std::vector<uint8_t> BuildArpProbe(const net::MacAddress& own_mac, const net::IpAddress& target);
// To the hosts that may have `target`, an IPv6 address. `source` is this host's.
std::vector<uint8_t> BuildSolicitation(const net::MacAddress& own_mac, const net::IpAddress& source,
                                       const net::IpAddress& target);

// Of a host that means to take `target` itself: does somebody have it? IPv4: BuildArpProbe. IPv6:
// the neighbour solicitation of duplicate address detection, which has no source (RFC 4862 §5.4.2).
// Its answer goes to all nodes, with the MAC of the host that has the address.
std::vector<uint8_t> BuildDuplicateProbe(const net::MacAddress& own_mac,
                                         const net::IpAddress& target);

// To all hosts of the network: `address` is at `own_mac` from now on. IPv4: a gratuitous ARP
// request, sender and target both the address (RFC 5227 §2.3 calls it an announcement). IPv6: an
// unsolicited neighbour advertisement with the override flag (RFC 4861 §7.2.6); `router`: this host
// forwards for others, and says so.
std::vector<uint8_t> BuildAnnouncement(const net::MacAddress& own_mac,
                                       const net::IpAddress& address, bool router);

// The claim that a frame makes: of ARP its sender, in answers and in questions of its own alike,
// for hosts learn from both (RFC 826); of a neighbour advertisement its target. Nothing for all
// other frames.
std::optional<Claim> ParseClaim(absl::Span<const uint8_t> frame);

}  // namespace fairlead::arp
