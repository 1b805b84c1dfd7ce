// Resource: a type of API object, and where its objects are found on an API server. Values.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::kube {

struct Resource {
  absl::string_view group;  // "" = the core group
  absl::string_view version;
  absl::string_view plural;  // "vips"
  absl::string_view kind;    // "VIP"
  bool namespaced = true;

  // "lb.fairlead.dev/v1alpha1"; "v1" for the core group.
  std::string ApiVersion() const;
  // The path of a collection (`name` empty) or of an object, with a subresource ("status") or none.
  // Every namespace's collection when `name_space` is empty.
  //   "/apis/lb.fairlead.dev/v1alpha1/namespaces/default/vips/dispatcher/status"
  std::string Path(absl::string_view name_space, absl::string_view name = "",
                   absl::string_view subresource = "") const;
  friend bool operator==(const Resource&, const Resource&) = default;
};

inline constexpr Resource kVips = {"lb.fairlead.dev", "v1alpha1", "vips", "VIP"};
inline constexpr Resource kRealServers = {"lb.fairlead.dev", "v1alpha1", "realservers",
                                          "RealServer"};
inline constexpr Resource kAddressPools = {"lb.fairlead.dev", "v1alpha1", "addresspools",
                                           "AddressPool", /*namespaced=*/false};
inline constexpr Resource kServices = {"", "v1", "services", "Service"};
inline constexpr Resource kEndpointSlices = {"discovery.k8s.io", "v1", "endpointslices",
                                             "EndpointSlice"};
inline constexpr Resource kLeases = {"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr Resource kEvents = {"events.k8s.io", "v1", "events", "Event"};

}  // namespace fairlead::kube
