// Catalog: what the one decoder and the one validator say of the cluster's objects. Pure.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "pkg/cluster/pool_allocator.h"
#include "pkg/kube/reflector.h"
#include "pkg/model/desired_state.h"
#include "pkg/source/manifest_decoder.h"

namespace fairlead::cluster {

// What decoding an object again would say again, as long as its text is the same.
class DecodeMemory {
 public:
  std::shared_ptr<const source::DecodeResult> Decode(model::ObjectKind kind,
                                                     const kube::KubeObject& object);
  // Forgets the objects that were not asked for since the last call.
  void Sweep();

 private:
  struct Entry {
    std::string text;
    std::shared_ptr<const source::DecodeResult> result;
    bool used = false;
  };
  std::map<std::string, Entry> entries_;
};

// Whether an object is in force, and why not.
struct Verdict {
  bool accepted = false;
  std::string reason;   // "Accepted", "Invalid", "Conflict"
  std::string message;  // field and problem of each finding
};

struct Catalog {
  // The accepted objects; VIPs of pools with the addresses that they have.
  model::DesiredState state;
  absl::flat_hash_map<model::ObjectId, Verdict> verdicts;  // of every object
  // For each VIP ("ns/name") with an addressPoolRef, and each further claimant.
  absl::flat_hash_map<std::string, PoolGrant> grants;
  std::map<std::string, PoolUse> pool_uses;

  const Verdict& VerdictOf(const model::ObjectId& id) const;
  // Null when it claims none.
  const PoolGrant* GrantOf(const std::string& claimant) const;
};

// The objects as they are, in any order. Precedence has what is in force in a data plane as it is
// now; then by creation, then by namespace and name. The daemons judge alike.
struct CatalogInput {
  std::vector<kube::KubeObjectPtr> vips;
  std::vector<kube::KubeObjectPtr> real_servers;
  std::vector<kube::KubeObjectPtr> pools;
  // Claims beyond those of VIPs, with what each one is for ("Service ns/name").
  std::vector<std::pair<std::string, PoolClaim>> further_claims{};
  // VIPs ("ns/name") whose spec.addresses come from a further claim.
  absl::flat_hash_set<std::string> vips_of_claims{};
  std::vector<model::ObjectId> in_force{};
};
Catalog BuildCatalog(CatalogInput input, DecodeMemory& memory);

model::ObjectId IdOf(model::ObjectKind kind, const kube::KubeObject& object);

}  // namespace fairlead::cluster
