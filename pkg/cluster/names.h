// Names that the operator and its users agree on.
#pragma once

namespace fairlead::cluster {

// Who writes a status, and who writes VIPs of Services, for server-side apply. Two names, as
// servers before 1.22 do not tell the fields of an object and of its status apart.
inline constexpr char kFieldManager[] = "fairlead-operator";
inline constexpr char kObjectManager[] = "fairlead-operator-services";

// On a VIP with an addressPoolRef, or a Service: the address of the pool that it wishes.
inline constexpr char kAddressAnnotation[] = "lb.fairlead.dev/address";
// On a Service: the AddressPool, instead of any with autoAssign. On a VIP of a Service: the pool
// that its address came from.
inline constexpr char kPoolAnnotation[] = "lb.fairlead.dev/address-pool";
// On a Service: mode, scheduler, clientAddress, advertise.type and healthCheck.port of its VIPs.
inline constexpr char kModeAnnotation[] = "lb.fairlead.dev/mode";
inline constexpr char kSchedulerAnnotation[] = "lb.fairlead.dev/scheduler";
inline constexpr char kClientAddressAnnotation[] = "lb.fairlead.dev/client-address";
inline constexpr char kAdvertiseAnnotation[] = "lb.fairlead.dev/advertise";
inline constexpr char kHealthCheckPortAnnotation[] = "lb.fairlead.dev/health-check-port";
// On a VIP of a Service: the Service.
inline constexpr char kServiceLabel[] = "lb.fairlead.dev/service";

// Of the Leases of daemons: lb.fairlead.dev/role=node, named fairlead-node-NODE.
inline constexpr char kNodeLeaseSelector[] = "lb.fairlead.dev/role=node";
inline constexpr char kNodeLeasePrefix[] = "fairlead-node-";

}  // namespace fairlead::cluster
