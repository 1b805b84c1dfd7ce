#include "pkg/kube/lease_record.h"

#include "absl/strings/str_cat.h"

namespace fairlead::kube {
namespace {

using nlohmann::json;

absl::Time TimeOf(const json& spec, const char* field) {
  absl::Time time = absl::InfinitePast();
  std::string error;
  const auto found = spec.find(field);
  if (found == spec.end() || !found->is_string() ||
      !absl::ParseTime(absl::RFC3339_full, found->get_ref<const std::string&>(), &time, &error)) {
    return absl::InfinitePast();
  }
  return time;
}

std::string TextOf(const json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

int NumberOf(const json& spec, const char* field) {
  const auto found = spec.find(field);
  return found != spec.end() && found->is_number_integer() ? found->get<int>() : 0;
}

}  // namespace

std::string MicroTime(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

absl::StatusOr<LeaseRecord> ParseLease(const json& object) {
  const auto metadata = object.is_object() ? object.find("metadata") : object.end();
  if (!object.is_object() || metadata == object.end() || !metadata->is_object()) {
    return absl::InvalidArgumentError("a Lease without metadata");
  }
  LeaseRecord record;
  record.acquired = record.renewed = absl::InfinitePast();
  record.resource_version = TextOf(*metadata, "resourceVersion");
  const auto spec = object.find("spec");
  if (spec == object.end() || !spec->is_object()) return record;
  record.holder = TextOf(*spec, "holderIdentity");
  record.duration = absl::Seconds(NumberOf(*spec, "leaseDurationSeconds"));
  record.acquired = TimeOf(*spec, "acquireTime");
  record.renewed = TimeOf(*spec, "renewTime");
  record.transitions = NumberOf(*spec, "leaseTransitions");
  return record;
}

json LeaseObject(absl::string_view name_space, absl::string_view name, const LeaseRecord& record) {
  json metadata = {{"name", name}, {"namespace", name_space}};
  if (!record.resource_version.empty()) metadata["resourceVersion"] = record.resource_version;
  return {{"apiVersion", "coordination.k8s.io/v1"},
          {"kind", "Lease"},
          {"metadata", std::move(metadata)},
          {"spec",
           {{"holderIdentity", record.holder},
            {"leaseDurationSeconds", absl::ToInt64Seconds(record.duration)},
            {"acquireTime", MicroTime(record.acquired)},
            {"renewTime", MicroTime(record.renewed)},
            {"leaseTransitions", record.transitions}}}};
}

}  // namespace fairlead::kube
