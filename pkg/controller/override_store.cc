#include "pkg/controller/override_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/replace_file.h"
#include "pkg/base/unique_fd.h"

namespace fairlead::controller {
namespace {

using Json = nlohmann::json;

constexpr char kFileName[] = "overrides.json";
constexpr int kVersion = 1;

std::optional<model::AdminState> ParseAdminState(absl::string_view word) {
  for (const model::AdminState state :
       {model::AdminState::kOnline, model::AdminState::kDrain, model::AdminState::kHalt}) {
    if (word == model::AdminStateName(state)) return state;
  }
  return std::nullopt;
}

std::string StringField(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

absl::Status DecodeEntry(const Json& entry, Overrides* overrides) {
  if (!entry.is_object()) return absl::InvalidArgumentError("an override is not an object");
  const std::string vip = StringField(entry, "vip");
  const std::string server = StringField(entry, "server");
  const std::string address = StringField(entry, "address");
  const auto state = ParseAdminState(StringField(entry, "state"));
  const auto manifest_state = ParseAdminState(StringField(entry, "manifestState"));
  absl::Time since;
  std::string error;
  if (vip.empty() || server.empty() || address.empty() || !state || !manifest_state ||
      !absl::ParseTime(absl::RFC3339_full, StringField(entry, "since"), &since, &error)) {
    return absl::InvalidArgumentError(absl::StrCat("override ", entry.dump(), " is not complete"));
  }
  overrides->insert_or_assign(
      {vip, server},
      Override{
          .address = address, .state = *state, .manifest_state = *manifest_state, .since = since});
  return absl::OkStatus();
}

}  // namespace

std::string EncodeOverrides(const Overrides& overrides) {
  Json entries = Json::array();
  for (const auto& [key, value] : overrides) {
    entries.push_back(
        {{"vip", key.first},
         {"server", key.second},
         {"address", value.address},
         {"state", model::AdminStateName(value.state)},
         {"manifestState", model::AdminStateName(value.manifest_state)},
         {"since", absl::FormatTime(absl::RFC3339_full, value.since, absl::UTCTimeZone())}});
  }
  const Json file = {{"version", kVersion}, {"overrides", std::move(entries)}};
  return file.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Overrides> DecodeOverrides(const std::string& text) {
  const Json file = Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (file.is_discarded() || !file.is_object()) {
    return absl::InvalidArgumentError("it is not a JSON object");
  }
  const auto version = file.find("version");
  if (version == file.end() || *version != kVersion) {
    return absl::InvalidArgumentError("its version is not 1: another Fairlead wrote it");
  }
  const auto entries = file.find("overrides");
  if (entries == file.end() || !entries->is_array() || entries->size() > kOverridesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"overrides\" is not a list of at most ", kOverridesMax, " entries"));
  }
  Overrides overrides;
  for (const Json& entry : *entries) {
    if (const absl::Status status = DecodeEntry(entry, &overrides); !status.ok()) return status;
  }
  return overrides;
}

OverrideStore::OverrideStore(std::string directory)
    : directory_(std::move(directory)),
      path_(directory_.empty() ? "" : absl::StrCat(directory_, "/", kFileName)) {}

absl::StatusOr<Overrides> OverrideStore::Load() const {
  if (path_.empty()) return Overrides();
  const base::UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return Overrides();
    return base::LastErrnoStatus(absl::StrCat("open ", path_));
  }
  std::ifstream file(path_);
  std::ostringstream text;
  text << file.rdbuf();
  absl::StatusOr<Overrides> overrides = DecodeOverrides(text.str());
  if (overrides.ok()) return overrides;
  return absl::InvalidArgumentError(
      absl::StrCat(path_, ": ", overrides.status().message(),
                   "; the states set on this node are not restored. Set them again (fairlead drain "
                   "SERVER), or repair the file and restart"));
}

absl::Status OverrideStore::Save(const Overrides& overrides) const {
  if (const absl::Status status = CheckWritable(); !status.ok()) return status;
  return base::ReplaceFile(path_, EncodeOverrides(overrides));
}

absl::Status OverrideStore::CheckWritable() const {
  if (path_.empty()) {
    return absl::FailedPreconditionError("no state directory is set; use --state-directory");
  }
  if (::mkdir(directory_.c_str(), 0750) != 0 && errno != EEXIST) {
    return base::LastErrnoStatus(absl::StrCat("state directory: mkdir ", directory_));
  }
  if (::access(directory_.c_str(), W_OK | X_OK) != 0) {
    return base::LastErrnoStatus(absl::StrCat("state directory ", directory_, " is not writable"));
  }
  return absl::OkStatus();
}

}  // namespace fairlead::controller
