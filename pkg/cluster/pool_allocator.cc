#include "pkg/cluster/pool_allocator.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fairlead::cluster {
namespace {

using model::AddressPool;
using net::IpAddress;
using AddressSet = absl::flat_hash_set<IpAddress>;

absl::uint128 ToNumber(const IpAddress& address) {
  absl::uint128 number = 0;
  for (const uint8_t byte : address.bytes()) number = (number << 8) | byte;
  return number;
}

IpAddress ToAddress(absl::uint128 number, size_t width) {
  std::array<uint8_t, 16> bytes{};
  for (size_t i = width; i-- > 0; number >>= 8) {
    bytes[i] = static_cast<uint8_t>(absl::Uint128Low64(number) & 0xff);
  }
  return IpAddress::FromBytes(absl::MakeConstSpan(bytes.data(), width));
}

bool RangeHolds(const net::IpRange& range, const IpAddress& address) {
  return range.first.family() == address.family() && range.first <= address &&
         address <= range.last;
}

// The first address that nobody uses. Each step but the last meets a used one, so that a range of
// any size costs no more than there are used addresses.
std::optional<IpAddress> FirstFree(const AddressPool& pool, const AddressSet& used,
                                   std::optional<net::IpFamily> family) {
  for (const net::IpRange& range : pool.ranges) {
    if (family.has_value() && range.first.family() != *family) continue;
    const size_t width = range.first.bytes().size();
    const absl::uint128 last = ToNumber(range.last);
    for (absl::uint128 number = ToNumber(range.first);; ++number) {
      IpAddress address = ToAddress(number, width);
      if (!used.contains(address)) return address;
      if (number == last) break;
    }
  }
  return std::nullopt;
}

bool AllowsNamespace(const AddressPool& pool, const std::string& name_space) {
  return pool.namespaces.empty() || std::find(pool.namespaces.begin(), pool.namespaces.end(),
                                              name_space) != pool.namespaces.end();
}

// One planning. The order of precedence is by creation, then by name.
class Planner {
 public:
  Planner(const std::vector<PoolClaim>& claims, const std::vector<AddressPool>& pools,
          const AddressSet& fixed)
      : claims_(claims), used_(fixed) {
    for (const AddressPool& pool : pools) pools_.emplace(pool.id.name, &pool);
    plan_.grants.resize(claims.size());
    order_.resize(claims.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    const auto key = [&claims](size_t i) {
      return std::tie(claims[i].created, claims[i].name_space, claims[i].name);
    };
    std::sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
  }

  PoolPlan Run() {
    for (const size_t i : order_) Keep(claims_[i], plan_.grants[i]);
    for (const size_t i : order_) {
      if (!plan_.grants[i].address.has_value()) {
        Give(claims_[i], plan_.grants[i]);
        StayIfRefused(claims_[i], plan_.grants[i]);
      } else if (claims_[i].wished.has_value() && claims_[i].wished != claims_[i].held) {
        Move(claims_[i], plan_.grants[i]);
      }
    }
    for (const auto& [name, pool] : pools_) {
      const auto used =
          std::count_if(used_.begin(), used_.end(),
                        [pool = pool](const auto& address) { return PoolHolds(*pool, address); });
      plan_.uses[name] = {static_cast<uint64_t>(used), PoolSize(*pool)};
    }
    return std::move(plan_);
  }

 private:
  const AddressPool* PoolNamed(const std::string& name) const {
    const auto pool = pools_.find(name);
    return pool == pools_.end() ? nullptr : pool->second;
  }

  // Of two that hold one address the earlier one keeps it.
  void Keep(const PoolClaim& claim, PoolGrant& grant) {
    if (!claim.held.has_value() || kept_.contains(*claim.held)) return;
    const std::string from = claim.held_pool.empty() ? PoolHolding(claim) : claim.held_pool;
    if (from.empty()) return;  // no pool's, as far as anybody knows
    used_.insert(*claim.held);
    if (!claim.pool.empty() && from != claim.pool) return;  // it is to move
    kept_.insert(*claim.held);
    grant = Kept(claim, from);
  }

  PoolGrant Kept(const PoolClaim& claim, const std::string& from) const {
    const AddressPool* pool = PoolNamed(from);
    const std::string address = claim.held->ToString();
    std::string why;
    if (pool == nullptr) {
      why = absl::StrCat("there is no valid AddressPool ", from, " any more");
    } else if (!PoolHolds(*pool, *claim.held)) {
      why = absl::StrCat("AddressPool ", from, " holds it no longer");
    } else if (!AllowsNamespace(*pool, claim.name_space)) {
      why = absl::StrCat("AddressPool ", from, " is no longer for namespace ", claim.name_space);
    }
    if (why.empty()) {
      return {PoolVerdict::kGiven, claim.held, from, /*is_new=*/false,
              absl::StrCat(address, " of AddressPool ", from)};
    }
    return {PoolVerdict::kKeptOutside, claim.held, from, /*is_new=*/false,
            absl::StrCat("keeps ", address, ", although ", why,
                         "; to give it back, refer to another pool, or delete this")};
  }

  // The pool that an address came from whose pool was not recorded; "" = none.
  std::string PoolHolding(const PoolClaim& claim) const {
    if (!claim.pool.empty()) {
      const AddressPool* pool = PoolNamed(claim.pool);
      return pool != nullptr && PoolHolds(*pool, *claim.held) ? claim.pool : "";
    }
    for (const auto& [name, pool] : pools_) {
      if (PoolHolds(*pool, *claim.held) && AllowsNamespace(*pool, claim.name_space)) return name;
    }
    return "";
  }

  // The pools that may fulfil a claim, by name. Refuses the claim when there are none.
  std::vector<const AddressPool*> PoolsFor(const PoolClaim& claim, PoolGrant& grant) const {
    std::vector<const AddressPool*> candidates;
    if (claim.pool.empty()) {
      for (const auto& [name, pool] : pools_) {
        const bool offered = pool->auto_assign || claim.wished.has_value();
        if (offered && AllowsNamespace(*pool, claim.name_space)) candidates.push_back(pool);
      }
      if (candidates.empty()) {
        Refuse(grant, PoolVerdict::kPoolNotFound,
               absl::StrCat("there is no AddressPool with autoAssign for namespace ",
                            claim.name_space, "; create one, or name a pool"));
      }
    } else if (const AddressPool* pool = PoolNamed(claim.pool); pool == nullptr) {
      Refuse(grant, PoolVerdict::kPoolNotFound,
             absl::StrCat("there is no valid AddressPool ", claim.pool,
                          "; create it, or name another one"));
    } else if (!AllowsNamespace(*pool, claim.name_space)) {
      Refuse(grant, PoolVerdict::kNotAllowed,
             absl::StrCat("AddressPool ", claim.pool, " is not for namespace ", claim.name_space,
                          "; add it to the pool's spec.namespaces"));
    } else {
      candidates.push_back(pool);
    }
    return candidates;
  }

  void Give(const PoolClaim& claim, PoolGrant& grant) {
    const std::vector<const AddressPool*> candidates = PoolsFor(claim, grant);
    if (candidates.empty()) return;
    if (claim.wished.has_value()) return GiveWished(claim, candidates, grant);
    for (const AddressPool* pool : candidates) {
      const std::optional<IpAddress> free = FirstFree(*pool, used_, claim.family);
      if (free.has_value()) return Grant(*pool, *free, grant);
    }
    Refuse(grant, PoolVerdict::kExhausted,
           absl::StrCat(NamesOf(candidates), " has no ", FamilyText(claim),
                        "address left; add a range, or delete VIPs"));
  }

  // One that is to move and cannot stays where it is.
  void StayIfRefused(const PoolClaim& claim, PoolGrant& grant) {
    if (grant.address.has_value() || !claim.held.has_value() || claim.held_pool.empty()) return;
    if (!kept_.insert(*claim.held).second) return;
    grant.address = claim.held;
    grant.pool = claim.held_pool;
    absl::StrAppend(&grant.message, "; keeps ", claim.held->ToString(), " until then");
  }

  static std::string NamesOf(const std::vector<const AddressPool*>& pools) {
    return absl::StrCat("AddressPool ",
                        absl::StrJoin(pools, " or ", [](std::string* out, const AddressPool* pool) {
                          absl::StrAppend(out, pool->id.name);
                        }));
  }

  static absl::string_view FamilyText(const PoolClaim& claim) {
    if (!claim.family.has_value()) return "";
    return *claim.family == net::IpFamily::kIpv4 ? "IPv4 " : "IPv6 ";
  }

  void GiveWished(const PoolClaim& claim, const std::vector<const AddressPool*>& candidates,
                  PoolGrant& grant) {
    const std::string address = claim.wished->ToString();
    const auto pool = std::find_if(
        candidates.begin(), candidates.end(),
        [&](const AddressPool* held_by) { return PoolHolds(*held_by, *claim.wished); });
    if (pool == candidates.end()) {
      return Refuse(grant, PoolVerdict::kWishNotInPool,
                    absl::StrCat(NamesOf(candidates), " does not hold the wished address ", address,
                                 "; wish another one, or none"));
    }
    if (used_.contains(*claim.wished)) {
      return Refuse(grant, PoolVerdict::kWishTaken,
                    absl::StrCat("the wished address ", address,
                                 " is another VIP's; wish another one, or none"));
    }
    Grant(**pool, *claim.wished, grant);
  }

  // The wish of one that has an address: fulfilled if it can be, else it keeps what it has.
  void Move(const PoolClaim& claim, PoolGrant& grant) {
    PoolGrant moved;
    if (const auto candidates = PoolsFor(claim, moved); !candidates.empty()) {
      GiveWished(claim, candidates, moved);
    }
    if (moved.address.has_value()) {
      grant = std::move(moved);
    } else {
      absl::StrAppend(&grant.message, "; ", moved.message);
    }
  }

  void Grant(const AddressPool& pool, const IpAddress& address, PoolGrant& grant) {
    used_.insert(address);
    grant = {PoolVerdict::kGiven, address, pool.id.name, /*is_new=*/true,
             absl::StrCat(address.ToString(), " of AddressPool ", pool.id.name)};
  }

  static void Refuse(PoolGrant& grant, PoolVerdict verdict, std::string message) {
    grant = {verdict, std::nullopt, "", /*is_new=*/false, std::move(message)};
  }

  const std::vector<PoolClaim>& claims_;
  std::map<std::string, const AddressPool*> pools_;
  std::vector<size_t> order_;
  AddressSet used_;
  AddressSet kept_;
  PoolPlan plan_;
};

}  // namespace

const char* PoolReason(PoolVerdict verdict) {
  switch (verdict) {
    case PoolVerdict::kGiven:
      return "AddressGiven";
    case PoolVerdict::kKeptOutside:
      return "AddressOutsidePool";
    case PoolVerdict::kPoolNotFound:
      return "PoolNotFound";
    case PoolVerdict::kNotAllowed:
      return "PoolNotAllowed";
    case PoolVerdict::kExhausted:
      return "PoolExhausted";
    case PoolVerdict::kWishNotInPool:
      return "AddressNotInPool";
    case PoolVerdict::kWishTaken:
      return "AddressInUse";
  }
  return "Unknown";
}

bool PoolHolds(const AddressPool& pool, const IpAddress& address) {
  return std::any_of(pool.ranges.begin(), pool.ranges.end(),
                     [&](const net::IpRange& range) { return RangeHolds(range, address); });
}

uint64_t PoolSize(const AddressPool& pool) {
  std::vector<net::IpRange> ranges = pool.ranges;
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  absl::uint128 size = 0;
  std::optional<IpAddress> counted_to;
  for (const net::IpRange& range : ranges) {
    absl::uint128 first = ToNumber(range.first);
    const absl::uint128 last = ToNumber(range.last);
    if (counted_to.has_value() && counted_to->family() == range.first.family()) {
      if (*counted_to >= range.last) continue;
      first = std::max(first, ToNumber(*counted_to) + 1);
    }
    // A range of 2^127 addresses or more would overflow the sum: it is as good as endless.
    if (absl::Uint128High64(last - first) != 0) return std::numeric_limits<uint64_t>::max();
    size += last - first + 1;
    counted_to = range.last;
  }
  return absl::Uint128High64(size) != 0 ? std::numeric_limits<uint64_t>::max()
                                        : absl::Uint128Low64(size);
}

PoolPlan PlanPools(const std::vector<PoolClaim>& claims, const std::vector<AddressPool>& pools,
                   const absl::flat_hash_set<IpAddress>& fixed) {
  return Planner(claims, pools, fixed).Run();
}

}  // namespace fairlead::cluster
