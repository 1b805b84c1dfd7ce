// EndpointSlices of Services, and what they say together. Values.
//
//   discovery.k8s.io/v1: a Service has any number of slices, which are joined by their label
//   kubernetes.io/service-name; an endpoint may be in two of them for a moment.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "pkg/model/service_endpoints.h"

namespace fairlead::kube {

// (namespace, name) of a Service.
using ServiceKey = std::pair<std::string, std::string>;

// Whose slice it is; the name is "" when it has no label.
ServiceKey ServiceOf(const nlohmann::json& slice);

// What the slices (by name) of one Service say: which endpoints are used, and how.
//
//   ready (absent: yes)              | Online
//   not ready, serving, terminating  | Drain
//   else                             | not used, counted
//
// An endpoint is named by its pod, else by its address. Of an address that is in two slices with
// the same ports the better state counts. At most model::kEndpointsMax are used. Slices of host
// names (addressType FQDN) are left out: their endpoints count as not ready.
model::ServiceEndpoints JoinSlices(const ServiceKey& service,
                                   const std::map<std::string, const nlohmann::json*>& slices);

}  // namespace fairlead::kube
