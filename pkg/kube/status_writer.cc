#include "pkg/kube/status_writer.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/kube/resource.h"

namespace fairlead::kube {
namespace {

using Json = nlohmann::json;

// The request could not be served, whatever it says: another one will not be either.
bool IsServersFault(int status) { return status == 429 || status >= 500 || status == 401; }

}  // namespace

StatusWriter::StatusWriter(ApiClient& client, const base::Clock& clock, std::string node)
    : client_(client), clock_(clock), node_(std::move(node)) {}

bool StatusWriter::Needs(const Json& wanted, const Json& present, const Written& written) const {
  const absl::Duration now = clock_.Monotonic();
  if (wanted == present || now < written.not_before) return false;
  const absl::Duration age = now - written.at;
  if (written.entry == wanted && age < kEcho) return false;
  return !DifferInWordsAlone(wanted, present) || age >= kWordsInterval;
}

absl::Status StatusWriter::Turn(const std::vector<WantedEntry>& wanted) {
  struct Due {
    Key key;
    Json entry;
    absl::Duration written_at;
  };
  std::vector<Due> due;
  std::set<Key> present;
  for (const WantedEntry& want : wanted) {
    const Key key(want.vip->name_space, want.vip->name);
    present.insert(key);
    Json entry = want.entry.has_value() ? EntryJson(node_, *want.entry) : Json();
    const Written& written = written_[key];
    if (!Needs(entry, OwnEntry(want.vip->json, node_), written)) continue;
    due.push_back({key, std::move(entry), written.at});
  }
  std::erase_if(written_, [&](const auto& known) { return !present.contains(known.first); });
  std::stable_sort(due.begin(), due.end(), [](const Due& left, const Due& right) {
    return left.written_at < right.written_at;
  });
  if (due.size() > kWritesPerTurn) due.erase(due.begin() + kWritesPerTurn, due.end());
  for (const Due& next : due) {
    absl::Status status = Write(next.key, next.entry, &written_[next.key]);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status StatusWriter::Write(const Key& key, const Json& entry, Written* written) {
  Json body = {{"apiVersion", kVips.ApiVersion()},
               {"kind", kVips.kind},
               {"metadata", {{"name", key.second}, {"namespace", key.first}}},
               {"status", Json::object()}};
  // An empty list to withdraw the entry: with nothing at all a status that had nothing else would
  // become null, which the type refuses.
  body["status"]["nodes"] = entry.is_null() ? Json::array() : Json::array({entry});
  const absl::StatusOr<ApiResponse> response = client_.Send(
      {.method = "PATCH",
       .target = absl::StrCat(kVips.Path(key.first, key.second, "status"),
                              "?fieldManager=fairlead-node-", node_, "&force=true"),
       .body = body.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace),
       .content_type = kApplyPatch,
       .timeout = kTimeout});
  if (!response.ok()) return response.status();
  if (IsServersFault(response->status)) return absl::UnavailableError(response->ErrorText());
  const absl::Duration now = clock_.Monotonic();
  ++writes_total_;
  written->at = now;
  if (response->ok() || response->status == 404) {  // 404: it has gone meanwhile
    written->entry = entry;
    written->refusal.clear();
    return absl::OkStatus();
  }
  written->not_before = now + kRefusedInterval;
  if (written->refusal == response->ErrorText()) return absl::OkStatus();
  written->refusal = response->ErrorText();
  base::LogWarning("the status of a VIP cannot be written",
                   {{"vip", absl::StrCat(key.first, "/", key.second)},
                    {"server", client_.server()},
                    {"reason", written->refusal},
                    {"action",
                     "the VIP is served all the same; tried again in a minute. Check the "
                     "CRDs' version and the rights on vips/status"}});
  return absl::OkStatus();
}

void StatusWriter::Withdraw(const std::vector<WantedEntry>& vips, absl::Duration deadline) {
  for (const WantedEntry& known : vips) {
    const Key key(known.vip->name_space, known.vip->name);
    Written& written = written_[key];
    if (written.entry.is_null() && OwnEntry(known.vip->json, node_).is_null()) continue;
    if (clock_.Monotonic() >= deadline) return;
    if (!Write(key, nullptr, &written).ok()) return;
  }
}

}  // namespace fairlead::kube
