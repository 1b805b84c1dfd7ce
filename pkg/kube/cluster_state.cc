#include "pkg/kube/cluster_state.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "pkg/kube/cluster_object.h"

namespace fairlead::kube {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

// What Encode keeps of a slice.
Json SliceInput(const Json& slice) {
  Json input = {{"metadata",
                 {{"name", ValueAt(slice, {"metadata", "name"})},
                  {"namespace", ValueAt(slice, {"metadata", "namespace"})},
                  {"labels", ValueAt(slice, {"metadata", "labels"})}}}};
  for (const char* field : {"endpoints", "ports"}) input[field] = ValueAt(slice, {field});
  return input;
}

// An object as Encode wrote it.
KubeObjectPtr ObjectOf(const Json& input) {
  auto object = std::make_shared<KubeObject>();
  object->name_space = StringAt(input, {"metadata", "namespace"});
  object->name = StringAt(input, {"metadata", "name"});
  object->json = input;
  return object;
}

// Those of `slices_of` that one of the joined services may be made of.
bool SameSlice(const KubeObject& before, const KubeObject& after) {
  for (const char* field : {"endpoints", "ports"}) {
    if (ValueAt(before.json, {field}) != ValueAt(after.json, {field})) return false;
  }
  return ServiceOf(before.json) == ServiceOf(after.json);
}

}  // namespace

ClusterState::ClusterState(ClusterStateOptions options)
    : options_(std::move(options)), store_(options_.admin) {}

ClusterState::Table& ClusterState::TableOf(const Resource& resource) {
  return resource == kVips ? vips_ : real_servers_;
}

void ClusterState::Replace(const Resource& resource, const std::vector<KubeObjectPtr>& objects) {
  std::set<Key> present;
  for (const KubeObjectPtr& object : objects) {
    present.emplace(object->name_space, object->name);
    Upsert(resource, object);
  }
  if (resource == kEndpointSlices) {
    std::vector<Key> gone;
    for (const auto& [key, slice] : slices_) {
      if (!present.contains(key)) gone.push_back(key);
    }
    for (const Key& key : gone) RemoveSlice(key);
    return;
  }
  Table& table = TableOf(resource);
  for (auto entry = table.begin(); entry != table.end();) {
    entry = present.contains(entry->first) ? std::next(entry) : Remove(resource, entry);
  }
}

void ClusterState::Upsert(const Resource& resource, const KubeObjectPtr& object) {
  if (resource == kEndpointSlices) {
    PutSlice(object);
  } else {
    Put(resource, object);
  }
}

void ClusterState::Delete(const Resource& resource, const std::string& name_space,
                          const std::string& name) {
  const Key key(name_space, name);
  if (resource == kEndpointSlices) {
    RemoveSlice(key);
    return;
  }
  Table& table = TableOf(resource);
  if (const auto entry = table.find(key); entry != table.end()) Remove(resource, entry);
}

void ClusterState::Put(const Resource& resource, const KubeObjectPtr& object) {
  const Json input = InputOf(resource, object->json);
  std::string text = Dump(input);
  Entry& entry = TableOf(resource)[{object->name_space, object->name}];
  if (entry.object != nullptr && entry.input == text) {
    entry.object = object;  // a status, an annotation
    return;
  }
  dirty_ = true;
  CountServices(entry, -1);
  if (entry.object != nullptr) files_.erase(AgeOf(resource, *entry.object));
  entry.object = object;
  entry.input = std::move(text);
  entry.decoded = DecodeInput(resource, input, options_.modes);
  if (entry.decoded->rejected.empty() && entry.decoded->complete) {
    entry.good_input = entry.input;
    entry.good = entry.decoded;
  }
  files_[AgeOf(resource, *object)] = entry.decoded;
  CountServices(entry, 1);
}

ClusterState::Table::iterator ClusterState::Remove(const Resource& resource,
                                                   Table::iterator entry) {
  dirty_ = true;
  CountServices(entry->second, -1);
  files_.erase(AgeOf(resource, *entry->second.object));
  return TableOf(resource).erase(entry);
}

ClusterState::Age ClusterState::AgeOf(const Resource& resource, const KubeObject& object) {
  // RFC 3339 in UTC: the order of the texts is that of the times.
  return {StringAt(object.json, {"metadata", "creationTimestamp"}),
          FileNameOf(resource, object.name_space, object.name)};
}

void ClusterState::CountServices(const Entry& entry, int change) {
  if (entry.good == nullptr) return;
  for (const model::Vip& vip : entry.good->vips) {
    if (vip.service.empty() || vip.elsewhere) continue;
    int& count = service_users_[{vip.id.name_space, vip.service.name}];
    count += change;
    if (count == 0) service_users_.erase({vip.id.name_space, vip.service.name});
  }
}

void ClusterState::PutSlice(const KubeObjectPtr& object) {
  const Key key(object->name_space, object->name);
  const auto known = slices_.find(key);
  if (known != slices_.end() && SameSlice(*known->second, *object)) {
    known->second = object;
    return;
  }
  RemoveSlice(key);
  const ServiceKey service = ServiceOf(object->json);
  slices_[key] = object;
  slices_of_[service].insert(key);
  joined_.erase(service);
  dirty_ = dirty_ || service_users_.contains(service);
}

void ClusterState::RemoveSlice(const Key& key) {
  const auto known = slices_.find(key);
  if (known == slices_.end()) return;
  const ServiceKey service = ServiceOf(known->second->json);
  const auto others = slices_of_.find(service);
  others->second.erase(key);
  if (others->second.empty()) slices_of_.erase(others);
  slices_.erase(known);
  joined_.erase(service);
  dirty_ = dirty_ || service_users_.contains(service);
}

std::vector<model::ServiceEndpoints> ClusterState::Services() {
  std::vector<model::ServiceEndpoints> services;
  for (const auto& [service, users_count] : service_users_) {
    auto joined = joined_.find(service);
    if (joined == joined_.end()) {
      std::map<std::string, const Json*> slices;
      if (const auto found = slices_of_.find(service); found != slices_of_.end()) {
        for (const Key& key : found->second) slices[key.second] = &slices_.at(key)->json;
      }
      joined = joined_.emplace(service, JoinSlices(service, slices)).first;
    }
    services.push_back(joined->second);
  }
  return services;
}

std::shared_ptr<const model::DesiredState> ClusterState::Merge() {
  dirty_ = false;
  source::Reading reading;
  reading.files.reserve(files_.size());
  for (const auto& [age, decoded] : files_) reading.files.push_back(decoded);
  reading.services = Services();
  return store_.Merge(reading);
}

std::vector<KubeObjectPtr> ClusterState::Vips() const {
  std::vector<KubeObjectPtr> objects;
  objects.reserve(vips_.size());
  for (const auto& [key, entry] : vips_) objects.push_back(entry.object);
  return objects;
}

std::string ClusterState::Encode(absl::string_view origin) const {
  std::string text = absl::StrCat("{\"version\":", kVersion,
                                  ",\"origin\":", Dump(std::string(origin)), ",\"vips\":[");
  const auto append = [&text](const Table& table) {
    bool is_first = true;
    for (const auto& [key, entry] : table) {
      if (entry.good_input.empty()) continue;
      absl::StrAppend(&text, is_first ? "\n" : ",\n", entry.good_input);
      is_first = false;
    }
  };
  append(vips_);
  absl::StrAppend(&text, "],\"realservers\":[");
  append(real_servers_);
  absl::StrAppend(&text, "],\"endpointslices\":[");
  bool is_first = true;
  for (const auto& [service, users_count] : service_users_) {
    const auto found = slices_of_.find(service);
    if (found == slices_of_.end()) continue;
    for (const Key& key : found->second) {
      absl::StrAppend(&text, is_first ? "\n" : ",\n", Dump(SliceInput(slices_.at(key)->json)));
      is_first = false;
    }
  }
  absl::StrAppend(&text, "]}\n");
  return text;
}

absl::Status ClusterState::Restore(absl::string_view text, absl::string_view origin) {
  const Json file = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!file.is_object()) return absl::InvalidArgumentError("it is not a JSON object");
  if (ValueAt(file, {"version"}) != Json(kVersion)) {
    return absl::InvalidArgumentError(
        absl::StrCat("its version is not ", kVersion, ": another Fairlead wrote it"));
  }
  if (StringAt(file, {"origin"}) != origin) {
    return absl::InvalidArgumentError(
        absl::StrCat("it is what ", StringAt(file, {"origin"}), " had, not ", origin));
  }
  for (const Resource* resource : {&kVips, &kRealServers, &kEndpointSlices}) {
    for (const Json& input : ValueAt(file, {std::string(resource->plural).c_str()})) {
      const KubeObjectPtr object = ObjectOf(input);
      if (object->name.empty()) return absl::InvalidArgumentError("an object in it has no name");
      Upsert(*resource, object);
    }
  }
  return absl::OkStatus();
}

}  // namespace fairlead::kube
