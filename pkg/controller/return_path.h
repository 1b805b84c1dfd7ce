// ReturnPathWatch: finds VIPs with clientAddress Transparent whose real servers do not answer
// through this host. Such a server gets SYNs from the clients' addresses and sends its replies
// somewhere else, while checks from our own address succeed: only the two together tell. Controller
// thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pkg/controller/event_log.h"
#include "pkg/controller/server_records.h"
#include "pkg/dataplane/data_plane.h"
#include "pkg/dataplane/forwarding_plan.h"

namespace fairlead::controller {

class ReturnPathWatch {
 public:
  // Called at each tick. A VIP is suspected when connects with clients' addresses timed out since
  // the last call, none succeeded, and a check says that a real server is Up; one connection that
  // succeeds clears it. Returns what is to be told.
  std::vector<Event> Look(const dataplane::PlaneObservation& observation,
                          const dataplane::ForwardingPlan& plan,
                          const std::map<ServerKey, ServerRecord>& records);

  // What is wrong with the VIP of this name, with what to do; "" = nothing is suspected.
  std::string ProblemOf(const std::string& vip) const;

 private:
  struct Seen {
    uint64_t timeouts = 0;
    uint64_t connects = 0;
    bool suspected = false;
  };
  std::map<std::string, Seen> seen_;  // by VIP, the transparent ones
};

}  // namespace fairlead::controller
