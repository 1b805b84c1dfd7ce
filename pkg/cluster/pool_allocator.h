// Which VIP has which address of an AddressPool. Pure and deterministic: equal inputs, whatever
// their order, give equal answers, so that a new leader decides as the one before.
//
//   the VIP's address now (its status)  | its pool           | what it gets
//   ------------------------------------+--------------------+-------------------------------------
//   given from this pool                | any, even deleted  | the same: neither an edit of a pool
//                                       |                    | nor an outage moves a client
//   given from another pool             | any                | a new one as below; the same as long
//                                       |                    | as there is none
//   none                                | exists, a free one | the one that it wishes, or the first
//   none                                | else               | none, and why
//
// A wish that names another address than the VIP has moves it, if that one is free.
//
// An address that a VIP names itself (spec.addresses), or that an earlier VIP was given, is never
// given out.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "pkg/model/address_pool.h"
#include "pkg/net/ip_address.h"

namespace fairlead::cluster {

// What a VIP asks of its pool.
struct PoolClaim {
  std::string name_space;
  std::string name;
  absl::Time created;
  std::string pool;  // "" = any with autoAssign that is for the namespace, the first by name
  // What it has already, and of which pool ("" = not recorded: the one that holds it, or none).
  std::optional<net::IpAddress> held;
  std::string held_pool;
  std::optional<net::IpAddress> wished;  // this one or none
  std::optional<net::IpFamily> family;   // of the address, when it matters
};

enum class PoolVerdict {
  kGiven,          // it has an address of its pool
  kKeptOutside,    // it keeps one that the pool holds no longer, or whose pool is gone
  kPoolNotFound,   // no such pool (or it is not valid)
  kNotAllowed,     // the pool is not for the VIP's namespace
  kExhausted,      // every address is in use
  kWishNotInPool,  // the wished address is not of the pool
  kWishTaken,      // another VIP has the wished address
};

struct PoolGrant {
  PoolVerdict verdict = PoolVerdict::kPoolNotFound;
  // Also of other verdicts when it has one already.
  std::optional<net::IpAddress> address;
  std::string pool;     // that the address came from
  bool is_new = false;  // `held` was not it
  std::string message;  // a sentence, with what to do
};

struct PoolUse {
  uint64_t given = 0;  // or named by a VIP itself
  uint64_t size = 0;   // saturates at 2^64-1
};

// "PoolExhausted": the verdict as a condition's reason.
const char* PoolReason(PoolVerdict verdict);

// The addresses of a pool, each once even where ranges overlap; saturates.
uint64_t PoolSize(const model::AddressPool& pool);
bool PoolHolds(const model::AddressPool& pool, const net::IpAddress& address);

struct PoolPlan {
  std::vector<PoolGrant> grants;        // as `claims`
  std::map<std::string, PoolUse> uses;  // by pool
};

// `fixed`: the addresses that VIPs name themselves.
PoolPlan PlanPools(const std::vector<PoolClaim>& claims,
                   const std::vector<model::AddressPool>& pools,
                   const absl::flat_hash_set<net::IpAddress>& fixed);

}  // namespace fairlead::cluster
