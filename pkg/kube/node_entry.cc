#include "pkg/kube/node_entry.h"

#include <algorithm>
#include <utility>

#include "pkg/kube/cluster_object.h"

namespace fairlead::kube {
namespace {

using Json = nlohmann::json;

Json WithoutReasons(Json entry) {
  const auto servers = entry.find("serversNotReady");
  if (servers == entry.end()) return entry;
  for (Json& server : *servers) server.erase("reason");
  return entry;
}

// An empty text says nothing, and old API servers take it for a null, which no schema allows.
void AddText(const char* name, const std::string& text, Json* object) {
  if (!text.empty()) (*object)[name] = text;
}

}  // namespace

std::string CutText(absl::string_view text, size_t bytes_max) {
  // The library replaces what is no UTF-8 while it dumps, and reads it back.
  const std::string dumped =
      Json(std::string(text)).dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  std::string valid = Json::parse(dumped).get<std::string>();
  if (valid.size() <= bytes_max) return valid;
  size_t end = bytes_max;
  // 10xxxxxx continues a character (RFC 3629 §3).
  while (end > 0 && (static_cast<unsigned char>(valid[end]) & 0xc0) == 0x80) --end;
  valid.resize(end);
  return valid;
}

Json EntryJson(absl::string_view node, const NodeEntry& entry) {
  Json addresses = Json::array();
  for (const NodeEntry::Address& address : entry.addresses) {
    Json& made = addresses.emplace_back(Json{{"address", address.address}});
    if (!address.interface.empty()) made["interface"] = address.interface;
  }
  Json servers = Json::array();
  for (const NodeEntry::Server& server : entry.servers_not_ready) {
    if (servers.size() == kEntryServersMax) break;
    Json& made = servers.emplace_back(
        Json{{"name", server.name}, {"state", server.state}, {"health", server.health}});
    AddText("reason", CutText(server.reason, kEntryReasonBytesMax), &made);
  }
  Json made = {{"node", std::string(node)},
               {"observedGeneration", entry.observed_generation},
               {"programmed", entry.programmed},
               {"addresses", std::move(addresses)},
               {"serversReady", entry.servers_ready},
               {"serversTotal", entry.servers_total},
               {"serversNotReady", std::move(servers)}};
  AddText("reason", entry.reason, &made);
  AddText("message", CutText(entry.message, kEntryMessageBytesMax), &made);
  AddText("engine", entry.engine, &made);
  return made;
}

Json OwnEntry(const Json& vip, absl::string_view node) {
  for (const Json& entry : ValueAt(vip, {"status", "nodes"})) {
    if (StringAt(entry, {"node"}) == node) return entry;
  }
  return nullptr;
}

bool DifferInWordsAlone(const Json& left, const Json& right) {
  return left.is_object() && right.is_object() && WithoutReasons(left) == WithoutReasons(right);
}

}  // namespace fairlead::kube
