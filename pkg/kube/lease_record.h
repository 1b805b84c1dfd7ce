// LeaseRecord: a coordination.k8s.io/v1 Lease as a value, and its JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::kube {

struct LeaseRecord {
  std::string holder;  // "" = nobody
  absl::Duration duration;
  absl::Time acquired;
  absl::Time renewed;  // by the holder's clock: only whether it changes says something
  int transitions = 0;
  std::string resource_version;  // of what was read; "" = the Lease is to be created
  friend bool operator==(const LeaseRecord&, const LeaseRecord&) = default;
};

// A metav1.MicroTime, "2026-01-02T03:04:05.000000Z": the API server takes no other number of
// decimals.
std::string MicroTime(absl::Time time);

// Errors (InvalidArgument): the object has no Lease's shape. Fields that are left out are zero.
absl::StatusOr<LeaseRecord> ParseLease(const nlohmann::json& object);

// The object to POST, or to PUT when the record has a resource version, which the server compares.
nlohmann::json LeaseObject(absl::string_view name_space, absl::string_view name,
                           const LeaseRecord& record);

}  // namespace fairlead::kube
