#include "pkg/kube/node_lease.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/kube/cluster_object.h"
#include "pkg/kube/lease_record.h"
#include "pkg/kube/resource.h"

namespace fairlead::kube {
namespace {

using Json = nlohmann::json;

constexpr int kOk = 200;
constexpr int kNotFound = 404;
constexpr int kConflict = 409;  // another resourceVersion, or it exists already

Json Parse(const ApiResponse& response) {
  Json json = Json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json();
}

}  // namespace

NodeLease::NodeLease(ApiClient& client, const base::Clock& clock, NodeIdentity identity)
    : client_(client),
      clock_(clock),
      identity_(std::move(identity)),
      name_(absl::StrCat("fairlead-node-", identity_.node)) {}

absl::Status NodeLease::Turn() {
  if (clock_.Monotonic() < due_) return absl::OkStatus();
  absl::Status status = Renew();
  if (!absl::IsUnavailable(status)) due_ = clock_.Monotonic() + kInterval;
  return status;
}

absl::StatusOr<ApiResponse> NodeLease::Send(const char* method, const std::string& target,
                                            const std::string& body) {
  return client_.Send({.method = method, .target = target, .body = body, .timeout = kTimeout});
}

absl::Status NodeLease::Renew() {
  const std::string object = kLeases.Path(identity_.name_space, name_);
  // Read, written, and once more when somebody came in between.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (known_.is_null()) {
      const auto found = Send("GET", object, "");
      if (!found.ok()) return found.status();
      if (found->status != kOk && found->status != kNotFound) {
        return Refusal(*found);
      }
      if (found->status == kOk) known_ = Parse(*found);
    }
    const bool exists = !known_.is_null();
    if (exists) LookForOthers(known_);
    const std::string body = Make(known_).dump();
    const auto answer =
        exists ? Send("PUT", object, body) : Send("POST", kLeases.Path(identity_.name_space), body);
    if (!answer.ok()) return answer.status();
    known_ = answer->ok() ? Parse(*answer) : Json();
    if (answer->ok()) return absl::OkStatus();
    const bool has_changed = answer->status == kConflict || (exists && answer->status == kNotFound);
    if (!has_changed) return Refusal(*answer);
  }
  return absl::UnavailableError(
      absl::StrCat("Lease ", name_, " changes all the time; tried again in a moment"));
}

absl::Status NodeLease::Refusal(const ApiResponse& answer) {
  const bool passes = answer.status == 429 || answer.status >= 500;
  const std::string text = absl::StrCat("Lease: ", answer.ErrorText());
  return passes ? absl::UnavailableError(text) : absl::FailedPreconditionError(text);
}

// `found` is what the server has, just read or written by us.
void NodeLease::LookForOthers(const Json& found) {
  const std::string holder = StringAt(found, {"spec", "holderIdentity"});
  const bool is_ours = holder.empty() || holder == identity_.holder;
  // A predecessor is met once, at the start. One that comes back after us is alive.
  const bool is_alive = !is_ours && holder == other_holder_;
  if (is_alive && !is_contested_) {
    base::LogError("another daemon uses the name of this node",
                   {{"node", identity_.node},
                    {"lease", absl::StrCat(identity_.name_space, "/", name_)},
                    {"holder", holder},
                    {"action",
                     "both write one entry into the VIPs' status; give each a name of "
                     "its own by --node-name"}});
  }
  if (!is_ours) {
    other_holder_ = holder;
    is_contested_ = is_alive;
  }
}

Json NodeLease::Make(const Json& known) const {
  const std::string now = MicroTime(clock_.Now());
  const bool is_ours = StringAt(known, {"spec", "holderIdentity"}) == identity_.holder;
  const Json& transitions = ValueAt(known, {"spec", "leaseTransitions"});
  const int64_t count = transitions.is_number_integer() ? transitions.get<int64_t>() : 0;
  const std::string acquired = StringAt(known, {"spec", "acquireTime"});
  Json metadata = {{"name", name_},
                   {"namespace", identity_.name_space},
                   {"labels", {{"lb.fairlead.dev/role", "node"}}}};
  const std::string version = StringAt(known, {"metadata", "resourceVersion"});
  if (!version.empty()) metadata["resourceVersion"] = version;
  if (!identity_.pod_uid.empty() && !identity_.pod_name.empty()) {
    metadata["ownerReferences"] = {{{"apiVersion", "v1"},
                                    {"kind", "Pod"},
                                    {"name", identity_.pod_name},
                                    {"uid", identity_.pod_uid}}};
  }
  return {{"apiVersion", kLeases.ApiVersion()},
          {"kind", kLeases.kind},
          {"metadata", std::move(metadata)},
          {"spec",
           {{"holderIdentity", identity_.holder},
            {"leaseDurationSeconds", absl::ToInt64Seconds(kDuration)},
            {"acquireTime", is_ours && !acquired.empty() ? acquired : now},
            {"renewTime", now},
            {"leaseTransitions", known.is_null() || is_ours ? count : count + 1}}}};
}

void NodeLease::Release() {
  if (known_.is_null() || is_contested_) return;
  const std::string version = StringAt(known_, {"metadata", "resourceVersion"});
  const Json body = {{"apiVersion", "v1"},
                     {"kind", "DeleteOptions"},
                     {"preconditions", {{"resourceVersion", version}}}};
  (void)Send("DELETE", kLeases.Path(identity_.name_space, name_), body.dump());
  known_ = nullptr;
}

}  // namespace fairlead::kube
