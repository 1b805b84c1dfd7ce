#include "pkg/cluster/catalog.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/cluster/json_access.h"
#include "pkg/cluster/names.h"

namespace fairlead::cluster {
namespace {

using kube::KubeObject;
using kube::KubeObjectPtr;
using model::Finding;
using model::ObjectId;
using model::ObjectKind;
using nlohmann::json;

constexpr size_t kFindingsToldMax = 8;

// The text that the decoder gets: what the user wrote.
std::string TextOf(ObjectKind kind, const KubeObject& object) {
  json text = {{"apiVersion", model::kApiVersion}, {"kind", model::ObjectKindName(kind)}};
  if (const json& spec = At(object.json, {"spec"}); !spec.is_null()) text["spec"] = spec;
  text["metadata"] = {{"name", object.name}};
  if (!object.name_space.empty()) text["metadata"]["namespace"] = object.name_space;
  if (const json& labels = At(object.json, {"metadata", "labels"}); !labels.is_null()) {
    text["metadata"]["labels"] = labels;
  }
  return text.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

std::string Describe(const std::vector<const Finding*>& findings) {
  std::vector<std::string> texts;
  for (const Finding* finding : findings) {
    if (texts.size() == kFindingsToldMax) {
      texts.push_back(absl::StrCat(findings.size() - kFindingsToldMax, " more"));
      break;
    }
    texts.push_back(finding->field.empty() ? finding->message
                                           : absl::StrCat(finding->field, ": ", finding->message));
  }
  return absl::StrJoin(texts, "; ");
}

void SortByPrecedence(std::vector<KubeObjectPtr>& objects) {
  const auto key = [](const KubeObjectPtr& object) {
    return std::tuple(TimeAt(object->json, {"metadata", "creationTimestamp"}),
                      absl::string_view(object->name_space), absl::string_view(object->name));
  };
  std::sort(objects.begin(), objects.end(),
            [&](const KubeObjectPtr& a, const KubeObjectPtr& b) { return key(a) < key(b); });
}

std::optional<net::IpAddress> ParseAddress(const std::string& text) {
  const absl::StatusOr<net::IpAddress> address = net::IpAddress::Parse(text);
  return address.ok() ? std::optional(*address) : std::nullopt;
}

// What a VIP asks of its pool, read without the decoder: also a VIP that is not valid keeps what it
// was given.
std::optional<PoolClaim> ClaimOf(const KubeObject& vip) {
  PoolClaim claim;
  claim.pool = TextAt(vip.json, {"spec", "addressPoolRef", "name"});
  if (claim.pool.empty()) return std::nullopt;
  claim.name_space = vip.name_space;
  claim.name = vip.name;
  claim.created = TimeAt(vip.json, {"metadata", "creationTimestamp"});
  const json& addresses = ListAt(vip.json, {"status", "addresses"});
  if (!addresses.empty()) claim.held = ParseAddress(TextAt(addresses[0], {"address"}));
  claim.held_pool = TextAt(vip.json, {"status", "addressPool"});
  claim.wished = ParseAddress(Annotation(vip.json, kAddressAnnotation));
  return claim;
}

class Builder {
 public:
  Builder(CatalogInput input, DecodeMemory& memory) : input_(std::move(input)), memory_(memory) {}

  Catalog Run() {
    for (auto* objects : {&input_.vips, &input_.real_servers, &input_.pools}) {
      SortByPrecedence(*objects);
    }
    DecodeAll(input_.pools, ObjectKind::kAddressPool);
    DecodeAll(input_.real_servers, ObjectKind::kRealServer);
    PlanAddresses();
    DecodeAll(input_.vips, ObjectKind::kVip);
    PutAddresses();
    ValidateTogether();
    return std::move(catalog_);
  }

 private:
  void DecodeAll(const std::vector<KubeObjectPtr>& objects, ObjectKind kind) {
    for (const KubeObjectPtr& object : objects) {
      const auto result = memory_.Decode(kind, *object);
      for (const model::Vip& vip : result->vips) catalog_.state.vips.push_back(vip);
      for (const auto& server : result->real_servers) {
        catalog_.state.real_servers.push_back(server);
      }
      for (const auto& pool : result->address_pools) catalog_.state.address_pools.push_back(pool);
      std::vector<const Finding*> errors;
      for (const Finding& finding : result->findings) {
        if (finding.severity == model::Severity::kError) errors.push_back(&finding);
      }
      const ObjectId id = IdOf(kind, *object);
      if (errors.empty()) {
        catalog_.verdicts[id] = {true, "Accepted", "valid"};
      } else {
        catalog_.verdicts[id] = {false, "Invalid", Describe(errors)};
      }
    }
  }

  void PlanAddresses() {
    std::vector<PoolClaim> claims;
    std::vector<std::string> claimants;
    for (auto& [claimant, claim] : input_.further_claims) {
      claimants.push_back(claimant);
      claims.push_back(std::move(claim));
    }
    absl::flat_hash_set<net::IpAddress> fixed;
    for (const KubeObjectPtr& vip : input_.vips) {
      const std::string name = absl::StrCat(vip->name_space, "/", vip->name);
      if (std::optional<PoolClaim> claim = ClaimOf(*vip); claim.has_value()) {
        claims.push_back(*std::move(claim));
        claimants.push_back(name);
        continue;
      }
      if (input_.vips_of_claims.contains(name)) continue;
      for (const json& text : ListAt(vip->json, {"spec", "addresses"})) {
        if (!text.is_string()) continue;
        if (const auto address = ParseAddress(text.get<std::string>()); address.has_value()) {
          fixed.insert(*address);
        }
      }
    }
    PoolPlan plan = PlanPools(claims, catalog_.state.address_pools, fixed);
    for (size_t i = 0; i < claimants.size(); ++i) {
      catalog_.grants.emplace(claimants[i], std::move(plan.grants[i]));
    }
    catalog_.pool_uses = std::move(plan.uses);
  }

  void PutAddresses() {
    for (model::Vip& vip : catalog_.state.vips) {
      if (vip.address_pool.empty()) continue;
      const PoolGrant* grant = catalog_.GrantOf(vip.id.QualifiedName());
      if (grant != nullptr && grant->address.has_value()) vip.addresses = {*grant->address};
    }
  }

  void ValidateTogether() {
    model::DesiredState& state = catalog_.state;
    model::ValidateTogether(state, /*admin_flag=*/std::nullopt, input_.in_force);
    std::map<std::string, std::vector<const Finding*>> errors;
    for (const Finding& finding : state.findings) {
      if (finding.severity == model::Severity::kError) errors[finding.object].push_back(&finding);
    }
    for (auto& [id, verdict] : catalog_.verdicts) {
      const auto found = errors.find(id.ToString());
      if (found != errors.end()) verdict = {false, "Conflict", Describe(found->second)};
    }
  }

  CatalogInput input_;
  DecodeMemory& memory_;
  Catalog catalog_;
};

}  // namespace

ObjectId IdOf(ObjectKind kind, const KubeObject& object) {
  return {kind, object.name_space, object.name};
}

std::shared_ptr<const source::DecodeResult> DecodeMemory::Decode(ObjectKind kind,
                                                                 const KubeObject& object) {
  const std::string key = IdOf(kind, object).ToString();
  Entry& entry = entries_[key];
  entry.used = true;
  std::string text = TextOf(kind, object);
  if (entry.result == nullptr || entry.text != text) {
    entry.result = std::make_shared<const source::DecodeResult>(
        source::DecodeManifests(text, key, nullptr, source::Origin::kCluster));
    entry.text = std::move(text);
  }
  return entry.result;
}

void DecodeMemory::Sweep() {
  std::erase_if(entries_, [](const auto& entry) { return !entry.second.used; });
  for (auto& [key, entry] : entries_) entry.used = false;
}

const Verdict& Catalog::VerdictOf(const ObjectId& id) const {
  static const Verdict& unknown = *new Verdict{false, "Unknown", "not looked at yet"};
  const auto found = verdicts.find(id);
  return found == verdicts.end() ? unknown : found->second;
}

const PoolGrant* Catalog::GrantOf(const std::string& claimant) const {
  const auto found = grants.find(claimant);
  return found == grants.end() ? nullptr : &found->second;
}

Catalog BuildCatalog(CatalogInput input, DecodeMemory& memory) {
  return Builder(std::move(input), memory).Run();
}

}  // namespace fairlead::cluster
