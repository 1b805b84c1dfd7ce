#include "pkg/doctor/probes.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "pkg/arp/arp_watch.h"
#include "pkg/arp/ask.h"
#include "pkg/arp/interfaces.h"
#include "pkg/base/unique_fd.h"
#include "pkg/net/endpoint.h"
#include "pkg/uring/ring.h"

namespace fairlead::doctor {
namespace {

std::string ProbeIoUring() {
  uring::RingOptions options;
  options.engine = uring::Engine::kIoUring;
  options.buffers_start = 1;
  const auto ring = uring::Ring::Create(options, nullptr);
  return ring.ok() ? "" : std::string(ring.status().message());
}

// bpf(2): BPF_MAP_CREATE of one array element; the descriptor is closed at once.
int ProbeBpf() {
  bpf_attr attributes;
  ::memset(&attributes, 0, sizeof(attributes));
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 8;
  attributes.max_entries = 1;
  const base::UniqueFd map(
      static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes))));
  return map.valid() ? 0 : errno;
}

// netdevice(7), SIOCETHTOOL: the driver's name and the flags of the legacy interface, of which LRO
// is one (bit 15).
InterfaceProbe ProbeInterface(const std::string& name) {
  InterfaceProbe probe;
  const base::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || name.size() >= IFNAMSIZ) return probe;
  ifreq request;
  ::memset(&request, 0, sizeof(request));
  ::memcpy(request.ifr_name, name.data(), name.size());
  ethtool_drvinfo driver;
  ::memset(&driver, 0, sizeof(driver));
  driver.cmd = ETHTOOL_GDRVINFO;
  request.ifr_data = reinterpret_cast<char*>(&driver);
  if (::ioctl(fd.get(), SIOCETHTOOL, &request) == 0) {
    probe.driver = std::string(driver.driver, ::strnlen(driver.driver, sizeof(driver.driver)));
  }
  ethtool_value flags = {ETHTOOL_GFLAGS, 0};
  request.ifr_data = reinterpret_cast<char*>(&flags);
  probe.lro = ::ioctl(fd.get(), SIOCETHTOOL, &request) == 0 && (flags.data & ETH_FLAG_LRO) != 0;
  return probe;
}

std::map<net::IpAddress, std::string> HostAddresses() {
  std::map<net::IpAddress, std::string> places;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return places;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    net::SocketAddress address;
    if (entry->ifa_addr == nullptr) continue;
    if (entry->ifa_addr->sa_family == AF_INET) {
      address.ipv4 = *reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      address.ipv6 = *reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
    } else {
      continue;
    }
    const auto endpoint = address.ToEndpoint();
    if (endpoint.ok()) places.emplace(endpoint->address, entry->ifa_name);
  }
  ::freeifaddrs(list);
  return places;
}

// Routes of type local have no address on an interface; a bind without IP_FREEBIND tells (ip(7)).
bool IsLocal(const net::IpAddress& address) {
  const net::SocketAddress place(net::Endpoint{address, 0});
  const base::UniqueFd fd(::socket(place.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return fd.valid() && ::bind(fd.get(), &place.generic, place.length) == 0;
}

// The VIPs that are here, where they are and where their servers are; and the servers, so that the
// MACs of those who claim a VIP get names.
std::vector<arp::Question> QuestionsOf(const std::vector<DirectVip>& direct_vips,
                                       const arp::Interfaces& interfaces) {
  std::vector<arp::WatchedVip> watched;
  std::set<arp::Question> questions;
  for (const DirectVip& vip : direct_vips) {
    std::set<uint32_t> ifindexes;
    for (const net::IpAddress& server : vip.servers) {
      for (const auto& [ifindex, interface] : interfaces) {
        if (!interface.asks || !interface.Reaches(server)) continue;
        ifindexes.insert(ifindex);
        questions.insert({ifindex, server});
      }
    }
    for (const net::IpAddress& address : vip.addresses) watched.push_back({address, ifindexes});
  }
  const std::vector<arp::Question> of_vips = arp::QuestionsOf(watched, interfaces);
  questions.insert(of_vips.begin(), of_vips.end());
  return {questions.begin(), questions.end()};
}

}  // namespace

Probes ProbeHost(const std::vector<std::string>& interfaces,
                 const std::vector<net::IpAddress>& addresses,
                 const std::vector<DirectVip>& direct_vips) {
  Probes probes;
  probes.io_uring_refusal = ProbeIoUring();
  probes.bpf_error = ProbeBpf();
  for (const std::string& name : interfaces) probes.interfaces[name] = ProbeInterface(name);
  const std::map<net::IpAddress, std::string> places = HostAddresses();
  for (const net::IpAddress& address : addresses) {
    const auto found = places.find(address);
    if (found != places.end()) {
      probes.places[address] = found->second;
    } else if (IsLocal(address)) {
      probes.places[address] = "local route";
    }
  }
  const arp::Interfaces own = arp::ReadInterfaces();
  arp::Answers answers = arp::Ask(QuestionsOf(direct_vips, own), own, /*stop_fd=*/-1);
  probes.claims = std::move(answers.claims);
  probes.asked = std::move(answers.asked);
  if (!answers.status.ok()) probes.ask_refusal = std::string(answers.status.message());
  return probes;
}

}  // namespace fairlead::doctor
