// Events (events.k8s.io/v1, Kubernetes 1.19): what `kubectl describe` shows of a transition. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/time/time.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/reflector.h"
#include "pkg/kube/resource.h"

namespace fairlead::cluster {

// The object that an event is about, as the event names it.
nlohmann::json RegardingOf(const kube::Resource& resource, const kube::KubeObject& object);

struct EventText {
  bool warning = false;
  std::string reason;  // as of a condition
  std::string note;    // a sentence
};

// The request that makes the event. `sequence` tells those of one moment apart.
kube::ApiRequest MakeEvent(const nlohmann::json& regarding, const EventText& text,
                           const std::string& identity, absl::Time now, uint64_t sequence);

}  // namespace fairlead::cluster
