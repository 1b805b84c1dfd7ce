// EventWriter: transitions as Kubernetes Events (events.k8s.io/v1), for `kubectl describe` and
// `kubectl get events`. They are news, not state: what cannot be written is left out. Used on one
// thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/kube/api_client.h"

namespace fairlead::kube {

struct NodeEvent {
  absl::Time time;
  bool is_warning = false;
  std::string message;  // constant text: "real server is down"
  std::string note;     // all of it, for people
  std::string name_space;
  std::string vip;       // whom it is about
  std::string vip_uid;   // "" = not known
  std::string server{};  // a RealServer object that it is about too; "" = none
};

class EventWriter {
 public:
  static constexpr int kWritesPerTurn = 5;
  static constexpr size_t kWaitingMax = 100;
  static constexpr absl::Duration kTimeout = absl::Seconds(3);
  static constexpr size_t kNoteBytesMax = 1024;  // events.k8s.io/v1

  // Both outlive it.
  EventWriter(ApiClient& client, const base::Clock& clock, std::string node);

  // One more; of too many the oldest is left out.
  void Add(NodeEvent event);
  // Writes the oldest ones. Errors: the server cannot be reached or is overloaded; they wait. What
  // it refuses is left out; without the API group, or the right, none is written for ten minutes.
  absl::Status Turn();

  uint64_t left_out_total() const { return left_out_total_; }

 private:
  std::string BodyOf(const NodeEvent& event);

  ApiClient& client_;
  const base::Clock& clock_;
  const std::string node_;
  std::deque<NodeEvent> waiting_;
  uint64_t numbers_used_ = 0;
  uint64_t left_out_total_ = 0;
  absl::Duration not_before_ = -absl::InfiniteDuration();
  std::string refusal_;  // the last one, so that it is told once
};

// "real server is down" -> "RealServerIsDown": a word for programs.
std::string ReasonWord(const std::string& message);

}  // namespace fairlead::kube
