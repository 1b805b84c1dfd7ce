// ListenerSet: the listening sockets of all shards, by endpoint; opens and closes them as plans
// change. Owned by SnatDataPlane, under its lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/unique_fd.h"
#include "pkg/net/endpoint.h"

namespace fairlead::dataplane::snat {

struct ListeningSocket {
  net::Endpoint endpoint;
  base::UniqueFd fd;
};

// What a process gives to the one that takes over from it.
struct HandedOver {
  std::vector<ListeningSocket> listeners;
  base::UniqueFd persistence;  // scheduler::PersistenceTable; invalid when it was not given
};

// What a listener does with a SYN.
enum class ListenerKind : uint8_t {
  kAccept,
  kDrop,  // a socket filter drops every segment: the client sees nothing, as fallback Drop asks
};

struct ShardListener {
  net::Endpoint endpoint;
  ListenerKind kind = ListenerKind::kAccept;
  int shard = 0;
  int fd = -1;  // owned by the ListenerSet
};

class ListenerSet {
 public:
  // One SO_REUSEPORT socket a shard; `shards` >= 1.
  explicit ListenerSet(int shards) : shards_(shards) {}

  // Sockets of another process: taken by the first Open of their endpoint.
  void Inherit(std::vector<ListeningSocket> sockets);
  void DropInherited() { inherited_.clear(); }

  // Opens the endpoint on every shard; it must not be open. All or nothing. Errors name the
  // endpoint, the cause and the fix (EADDRINUSE, EACCES, EMFILE).
  absl::Status Open(const net::Endpoint& endpoint, ListenerKind kind);

  // Takes the endpoint out; the caller keeps the sockets open until the shards have stopped using
  // them.
  std::vector<base::UniqueFd> Take(const net::Endpoint& endpoint);

  // Nothing when the endpoint is not open.
  std::optional<ListenerKind> KindOf(const net::Endpoint& endpoint) const;
  std::vector<net::Endpoint> endpoints() const;
  // Every socket of one endpoint, with the shard that accepts on it.
  std::vector<ShardListener> ListenersOf(const net::Endpoint& endpoint) const;
  // Duplicates (dup(2)) of every accepting socket.
  std::vector<ListeningSocket> Duplicate() const;
  size_t sockets_count() const;

 private:
  struct Entry {
    ListenerKind kind = ListenerKind::kAccept;
    std::vector<base::UniqueFd> sockets;  // socket i belongs to shard i % shards
  };

  const int shards_;
  std::map<net::Endpoint, Entry> entries_;
  std::map<net::Endpoint, std::vector<base::UniqueFd>> inherited_;
};

}  // namespace fairlead::dataplane::snat
