// PathVerifier: proves by a real packet that an interface forwards in the mode that the program is
// attached in. Asking the driver is not enough: veth without a program at its other end counts
// frames as sent, and loses them (drivers/net/veth.c, veth_xdp_flush).
//
//   user space --request--> neighbour --answer--> program --request--> neighbour --answer-->
//   program
//                                                 comes in             went out
//
// A proof is noted in the maps, so that it outlives this process. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pkg/dataplane/dr/attach_point.h"
#include "pkg/dataplane/dr/map_store.h"
#include "pkg/dataplane/dr/packet_socket.h"
#include "pkg/dataplane/dr/probe_request.h"

namespace fairlead::dataplane::dr {

class PathVerifier {
 public:
  struct Failure {
    uint32_t ifindex;
    std::string reason;  // "frames that the program sends are lost: ..."
  };
  // How often Turn is to be called while one is busy.
  static constexpr absl::Duration kBusyTurn = absl::Milliseconds(10);

  // `store` outlives the verifier.
  explicit PathVerifier(MapStore& store) : store_(store) {}

  // What is to be proved, and who may be asked. The mode changed: it is proved anew. To be called
  // before Turn whenever something of it may have changed.
  void Watch(uint32_t ifindex, AttachMode mode, std::vector<ProbeTarget> targets);
  void Forget(uint32_t ifindex);

  // Goes on with what runs. Failures: modes that are to be left; an interface that stays in its
  // mode is asked again after a minute.
  std::vector<Failure> Turn(absl::Duration now);
  bool busy() const;

  bool verified(uint32_t ifindex) const;
  // "verified: 10.2.0.11 answered", "not verified yet: no neighbour is known", ...
  std::string StateOf(uint32_t ifindex) const;

 private:
  // kWaiting -> kAsking -> kVerified, or kWaiting until `due`.
  enum class State { kWaiting, kAsking, kVerified };
  struct Path {
    AttachMode mode = AttachMode::kGeneric;
    std::vector<ProbeTarget> targets;
    State state = State::kWaiting;
    std::string text;
    absl::Duration due;  // of the next attempt, or the end of this one
    size_t target = 0;   // whom the next attempt asks, modulo their number
    ProbeTarget asked;   // whom this one asks
    int attempts = 0;    // with this target
    int lost = 0;        // of them: the program sent, and nothing came back
    int passed_by = 0;   // of them: the answer reached the host's stack, not the program
    PacketSocket socket;
  };

  void Ask(uint32_t ifindex, Path& path, absl::Duration now);
  // The attempt's time is over without a proof. The reason of a failure; "" = none yet.
  std::string EndAttempt(uint32_t ifindex, Path& path, absl::Duration now);
  bpf::DrProbe& ProbeOf(uint32_t ifindex) { return store_.probes()[ifindex % bpf::kDrInterfaces]; }

  MapStore& store_;
  std::map<uint32_t, Path> paths_;  // by ifindex
};

}  // namespace fairlead::dataplane::dr
