#include "pkg/kube/cluster_object.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/model/desired_state.h"
#include "pkg/model/limits.h"

namespace fairlead::kube {
namespace {

using Json = nlohmann::json;
using source::DecodeResult;

// Those that the operator gave, each once, in its order.
std::vector<net::IpAddress> GivenAddresses(const Json& input) {
  std::vector<net::IpAddress> addresses;
  for (const Json& entry : ValueAt(input, {"status", "addresses"})) {
    const absl::StatusOr<net::IpAddress> address =
        net::IpAddress::Parse(StringAt(entry, {"address"}));
    const bool is_known =
        address.ok() && std::find(addresses.begin(), addresses.end(), *address) != addresses.end();
    if (!address.ok() || is_known || addresses.size() == model::kVipAddressesMax) continue;
    addresses.push_back(*address);
  }
  return addresses;
}

// Judges VIPs with the addresses that they were given. One that cannot have them is rejected.
void GiveAddresses(const Json& input, DecodeResult* result) {
  std::vector<model::Vip> good;
  for (model::Vip& vip : result->vips) {
    if (!vip.waits_for_address()) {
      good.push_back(std::move(vip));
      continue;
    }
    vip.addresses = GivenAddresses(input);
    std::vector<model::Finding> findings = model::Validate(vip);
    const bool is_bad = std::any_of(
        findings.begin(), findings.end(),
        [](const model::Finding& finding) { return finding.severity == model::Severity::kError; });
    if (!is_bad) {
      good.push_back(std::move(vip));
      continue;
    }
    result->findings = std::move(findings);
    result->rejected.push_back({vip.id, vip.location});
  }
  result->vips = std::move(good);
}

template <typename T>
void ForgetPlaces(std::vector<T>& elements) {
  for (T& element : elements) {
    element.location.line = 0;
    element.location.column = 0;
  }
}

}  // namespace

std::string FileNameOf(const Resource& resource, const std::string& name_space,
                       const std::string& name) {
  return absl::StrCat(resource.plural, "/", name_space, name_space.empty() ? "" : "/", name);
}

const Json& ValueAt(const Json& object, std::initializer_list<const char*> path) {
  static const Json kNull;
  const Json* value = &object;
  for (const char* field : path) {
    if (!value->is_object()) return kNull;
    const auto found = value->find(field);
    if (found == value->end()) return kNull;
    value = &*found;
  }
  return *value;
}

std::string StringAt(const Json& object, std::initializer_list<const char*> path) {
  const Json& value = ValueAt(object, path);
  return value.is_string() ? value.get<std::string>() : "";
}

Json InputOf(const Resource& resource, const Json& object) {
  Json input = {{"apiVersion", resource.ApiVersion()}, {"kind", resource.kind}};
  Json& metadata = input["metadata"] = Json::object();
  for (const char* field : {"name", "namespace", "labels", "creationTimestamp"}) {
    const Json& value = ValueAt(object, {"metadata", field});
    if (!value.is_null()) metadata[field] = value;
  }
  input["spec"] = ValueAt(object, {"spec"});
  if (!ValueAt(object, {"spec", "addressPoolRef"}).is_null()) {
    Json addresses = Json::array();
    for (const Json& entry : ValueAt(object, {"status", "addresses"})) {
      addresses.push_back({{"address", StringAt(entry, {"address"})}});
    }
    input["status"] = {{"addresses", std::move(addresses)}};
  }
  return input;
}

std::shared_ptr<const DecodeResult> DecodeInput(const Resource& resource, const Json& input,
                                                const std::set<model::Mode>& modes) {
  const std::string file = FileNameOf(resource, StringAt(input, {"metadata", "namespace"}),
                                      StringAt(input, {"metadata", "name"}));
  auto result = std::make_shared<DecodeResult>(source::DecodeManifests(
      input.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace), file, nullptr,
      source::Origin::kCluster));
  GiveAddresses(input, result.get());
  for (model::Vip& vip : result->vips) vip.elsewhere = !modes.contains(vip.mode);
  ForgetPlaces(result->vips);
  ForgetPlaces(result->real_servers);
  ForgetPlaces(result->rejected);
  ForgetPlaces(result->findings);
  return result;
}

model::Mode ModeOf(const Json& vip) {
  const std::string mode = StringAt(vip, {"spec", "mode"});
  if (mode == model::ModeName(model::Mode::kDr)) return model::Mode::kDr;
  if (mode == model::ModeName(model::Mode::kAuto)) return model::Mode::kAuto;
  return model::Mode::kSnat;
}

}  // namespace fairlead::kube
