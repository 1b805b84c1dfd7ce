// What the daemons say of a VIP: status.nodes[], each entry written by its daemon.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace fairlead::cluster {

struct NotReadyServer {
  std::string name;
  std::string state;   // "Online", "Drain", "Halt"
  std::string health;  // "Unknown", "Up", "Down"
  std::string reason;
  friend bool operator==(const NotReadyServer&, const NotReadyServer&) = default;
};

struct NodeReport {
  struct Place {
    std::string address;
    std::string interface;  // "" = on none
    friend bool operator==(const Place&, const Place&) = default;
  };
  std::string node;
  int64_t observed_generation = 0;
  bool programmed = false;  // that generation is in force there
  std::string reason;       // "Applied", "LastGoodVersion", ...
  std::string message;
  std::vector<Place> addresses;
  int64_t servers_ready = 0;
  int64_t servers_total = 0;
  std::vector<NotReadyServer> not_ready;
  friend bool operator==(const NodeReport&, const NodeReport&) = default;
};

// The entries of the VIP's status whose daemon is among `alive`, by name.
std::vector<NodeReport> ReportsOf(const nlohmann::json& vip, const std::set<std::string>& alive);

}  // namespace fairlead::cluster
