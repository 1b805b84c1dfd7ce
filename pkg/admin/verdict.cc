#include "pkg/admin/verdict.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/admin/json_field.h"
#include "pkg/base/counted.h"

namespace fairlead::admin {
namespace {

using nlohmann::json;

std::string MissingAddresses(const json& vip) {
  std::vector<std::string> missing;
  for (const json& address : ListOf(vip, "addresses")) {
    if (address.contains("announcement")) continue;  // JudgeAnnouncements
    if (address.contains("onHost") && !FlagOf(address, "onHost")) {
      missing.push_back(TextOf(address, "address"));
    }
  }
  return absl::StrJoin(missing, ", ");
}

// Of the addresses that this host is to bring up, the one that is worst off.
Verdict JudgeAnnouncements(const json& vip) {
  Verdict worst;
  const auto take = [&worst](Rank rank, const char* word, std::string reason) {
    if (worst.word.empty() || rank < worst.rank) worst = {rank, word, std::move(reason)};
  };
  for (const json& address : ListOf(vip, "addresses")) {
    const json& announced = ObjectOf(address, "announcement");
    const std::string state = TextOf(announced, "state");
    const std::string reason = TextOf(announced, "reason");
    const std::string rival = TextOf(announced, "rival");
    if (state == "Refused") take(Rank::kBad, "NO ADDRESS", reason);
    if (state == "Probing") {
      take(Rank::kWarning, "Probing",
           absl::StrCat("asking whether another host has ", TextOf(address, "address")));
    }
    if (!rival.empty()) {
      take(Rank::kWarning, "Two owners",
           absl::StrCat(TextOf(address, "address"), " is claimed by ", rival, " too, on ",
                        TextOf(announced, "interface"), "; take it away from that host"));
    }
    if (state == "Standby") take(Rank::kFine, "Standby", reason);
  }
  return worst;
}

}  // namespace

uint64_t CountRejections(const json& vip) {
  uint64_t sum = 0;
  for (const json& count : ObjectOf(vip, "rejections")) {
    if (count.is_number_unsigned()) sum += count.get<uint64_t>();
  }
  return sum;
}

size_t CountTaking(const json& vip) {
  const json& servers = ListOf(vip, "servers");
  return static_cast<size_t>(std::count_if(servers.begin(), servers.end(), [](const json& server) {
    return TextOf(server, "takes") == "All";
  }));
}

Verdict JudgeServer(const json& server) {
  const json& health = ObjectOf(server, "health");
  const std::string state = TextOf(server, "state");
  const std::string word = TextOf(health, "state");
  std::string reason = TextOf(health, "reason");
  if (FlagOf(server, "setHere")) {
    reason = absl::StrCat("set here (manifest: ", TextOf(server, "stateInManifest"), "); ", reason);
  }
  if (state == "Halt") {
    return {Rank::kWarning, "Halt", reason, /*leaving=*/true};
  }
  // The data plane has no way to it, whatever its checks say.
  if (const std::string problem = TextOf(server, "problem"); !problem.empty()) {
    return {Rank::kBad, "No way", problem};
  }
  if (word == "Down") return {Rank::kBad, state == "Drain" ? "Drain, DOWN" : "DOWN", reason};
  if (state == "Drain") {
    return {Rank::kWarning, "Drain", reason, /*leaving=*/true};
  }
  if (word == "Unknown") return {Rank::kWarning, "Unknown", reason};
  if (!TextOf(health, "portsDown").empty()) {
    return {Rank::kWarning, "Up, not on all ports",
            absl::StrCat("ports down: ", TextOf(health, "portsDown"), "; ", reason)};
  }
  if (const std::string problem = TextOf(server, "arpProblem"); !problem.empty()) {
    return {Rank::kWarning, absl::StrCat(word, ", answers ARP"), problem};
  }
  if (!TextOf(server, "nameProblem").empty()) return {Rank::kWarning, word, reason};
  return {Rank::kFine, word, reason};
}

Verdict JudgeVip(const json& vip) {
  if (FlagOf(vip, "elsewhere")) return {Rank::kFine, "Elsewhere", TextOf(vip, "problem")};
  if (!FlagOf(vip, "enabled")) return {Rank::kFine, "Disabled", TextOf(vip, "problem")};
  if (const std::string problem = TextOf(vip, "problem"); !problem.empty()) {
    return {Rank::kBad, "NOT SERVED", problem};
  }
  const size_t servers = ListOf(vip, "servers").size();
  const size_t taking = CountTaking(vip);
  if (servers == 0) return {Rank::kBad, "NO SERVER", "no real server is configured for it"};
  if (taking == 0) return {Rank::kBad, "NO SERVER", "no real server takes new clients"};
  if (FlagOf(vip, "stale")) {
    return {Rank::kWarning, "Stale",
            "its present text is rejected (below); the last good version "
            "is in force"};
  }
  const Verdict announced = JudgeAnnouncements(vip);
  if (announced.rank != Rank::kFine) return announced;
  if (const std::string missing = MissingAddresses(vip); !missing.empty()) {
    return {Rank::kWarning, "No address",
            absl::StrCat(missing, " is on no interface of this host")};
  }
  if (const std::string problem = TextOf(vip, "arpProblem"); !problem.empty()) {
    return {Rank::kWarning, "ARP problem", problem};
  }
  if (const std::string problem = TextOf(vip, "fallbackProblem"); !problem.empty()) {
    return {Rank::kWarning, "No fallback", absl::StrCat("fallback server: ", problem)};
  }
  if (taking < servers) {
    return {Rank::kWarning, "Degraded",
            absl::StrCat(servers - taking, " of ", base::Counted(servers, "real server"),
                         servers - taking == 1 ? " takes" : " take", " no new clients")};
  }
  if (!announced.word.empty()) return announced;
  return {Rank::kFine, "Ok", ""};
}

}  // namespace fairlead::admin
