// The VIPs of a Service of type LoadBalancer. Pure.
//
//   Service                                  | VIP
//   -----------------------------------------+-----------------------------------------------------
//   ports that the pods listen on as they are| one VIP NAME for all of one protocol
//   a port with another targetPort           | a VIP for each such port
//   (several VIPs are called)                | NAME-tcp, NAME-udp, NAME-PORT-tcp, NAME-PORT-udp
//   spec.loadBalancerIP, annotation address  | the address that is wished
//   sessionAffinity: ClientIP                | persistence: SourceIP
//   annotations of names.h                   | mode, scheduler, clientAddress, ...
//
// The VIPs name their address themselves (it was given to the Service), are owned by the Service,
// and go when it goes or wants no load balancer of ours any more.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/cluster/pool_allocator.h"
#include "pkg/kube/reflector.h"
#include "pkg/net/ip_address.h"

namespace fairlead::cluster {

struct ServiceClass {
  std::string load_balancer_class = "lb.fairlead.dev/fairlead";
  bool classless = false;  // also Services without a class
};

// Whether the Service wants its load balancer from us; not when it is being deleted.
bool IsOurs(const nlohmann::json& service, const ServiceClass& wanted);

// "Service ns/name".
std::string ClaimantOf(const kube::KubeObject& service);

// The Service that owns a VIP as `Applied` makes it.
struct Owner {
  std::string name;
  std::string uid;
};
std::optional<Owner> OwnerOf(const kube::KubeObject& vip);

// What the Service asks of the pools. `owned` are its VIPs as they are.
PoolClaim ClaimOf(const kube::KubeObject& service, const std::vector<kube::KubeObjectPtr>& owned);

// The VIPs, as objects to apply. Errors (InvalidArgument): what of the Service no VIP can do, and
// what to do.
absl::StatusOr<std::vector<nlohmann::json>> WantedVips(const kube::KubeObject& service,
                                                       const net::IpAddress& address,
                                                       const std::string& pool);

// Whether `present` is `wanted` already, but for what the API server adds.
bool IsApplied(const nlohmann::json& present, const nlohmann::json& wanted);

// status.loadBalancer.ingress of the Service.
nlohmann::json WantedIngress(const nlohmann::json& service, const net::IpAddress& address);
// Whether the Service has it already; servers before 1.29 do not keep ipMode, others no ports.
bool HasIngress(const nlohmann::json& service, const nlohmann::json& ingress);

}  // namespace fairlead::cluster
