// What a VIP or a real server of /api/v1/status amounts to: one word, why, and how bad it is. The
// same for `fairlead status` and the web page. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fairlead::admin {

// Less is worse and comes first.
enum class Rank { kBad, kWarning, kFine };

struct Verdict {
  Rank rank = Rank::kFine;
  std::string word;      // "Ok", "Degraded", "NO SERVER", "DOWN", "Drain", ...
  std::string reason{};  // in words; "" = nothing to say
  bool leaving = false;  // of a server: what its connections and its deadline are matters as well
};

// `vip` and `server` are objects of the status JSON; absent fields count as empty.
Verdict JudgeVip(const nlohmann::json& vip);
Verdict JudgeServer(const nlohmann::json& server);
// How many real servers of the VIP take new clients.
size_t CountTaking(const nlohmann::json& vip);
// Clients that the VIP turned away, for whatever reason.
uint64_t CountRejections(const nlohmann::json& vip);

}  // namespace fairlead::admin
