#include "pkg/kube/event_writer.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "pkg/base/log.h"
#include "pkg/kube/lease_record.h"
#include "pkg/kube/node_entry.h"
#include "pkg/kube/resource.h"

namespace fairlead::kube {
namespace {

using Json = nlohmann::json;

constexpr absl::Duration kRefusedInterval = absl::Minutes(10);
constexpr size_t kInstanceBytesMax = 128;  // of reportingInstance
constexpr int kNotFound = 404;             // no such API group, or no such namespace any more

Json Reference(const Resource& resource, const NodeEvent& event, const std::string& name) {
  return {{"apiVersion", resource.ApiVersion()},
          {"kind", resource.kind},
          {"namespace", event.name_space},
          {"name", name}};
}

}  // namespace

std::string ReasonWord(const std::string& message) {
  std::string word;
  bool begins = true;
  for (const char c : message) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      begins = true;
      continue;
    }
    word += begins ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c;
    begins = false;
  }
  return word.substr(0, kInstanceBytesMax);
}

EventWriter::EventWriter(ApiClient& client, const base::Clock& clock, std::string node)
    : client_(client), clock_(clock), node_(std::move(node)) {}

void EventWriter::Add(NodeEvent event) {
  if (waiting_.size() == kWaitingMax) {
    waiting_.pop_front();
    ++left_out_total_;
  }
  waiting_.push_back(std::move(event));
}

std::string EventWriter::BodyOf(const NodeEvent& event) {
  // As client-go names them: what it is about, and a number that no other event has.
  const std::string name = absl::StrFormat("%s.%x-%x", event.vip.substr(0, 200),
                                           absl::ToUnixMicros(event.time), ++numbers_used_);
  Json regarding = Reference(kVips, event, event.vip);
  if (!event.vip_uid.empty()) regarding["uid"] = event.vip_uid;
  Json body = {
      {"apiVersion", kEvents.ApiVersion()},
      {"kind", kEvents.kind},
      {"metadata", {{"name", name}, {"namespace", event.name_space}}},
      {"eventTime", MicroTime(event.time)},
      {"reportingController", "lb.fairlead.dev/node"},
      {"reportingInstance", CutText(absl::StrCat("fairlead-node-", node_), kInstanceBytesMax)},
      {"action", "Balance"},
      {"reason", ReasonWord(event.message)},
      {"regarding", std::move(regarding)},
      {"note", CutText(event.note, kNoteBytesMax)},
      {"type", event.is_warning ? "Warning" : "Normal"}};
  if (!event.server.empty()) body["related"] = Reference(kRealServers, event, event.server);
  return body.dump();
}

absl::Status EventWriter::Turn() {
  if (clock_.Monotonic() < not_before_) {
    left_out_total_ += waiting_.size();
    waiting_.clear();
    return absl::OkStatus();
  }
  for (int i = 0; i < kWritesPerTurn && !waiting_.empty(); ++i) {
    const absl::StatusOr<ApiResponse> response =
        client_.Send({.method = "POST",
                      .target = kEvents.Path(waiting_.front().name_space),
                      .body = BodyOf(waiting_.front()),
                      .timeout = kTimeout});
    if (!response.ok()) return response.status();
    if (response->status == 429 || response->status >= 500) {
      return absl::UnavailableError(response->ErrorText());
    }
    waiting_.pop_front();
    if (response->ok()) continue;
    ++left_out_total_;
    not_before_ = clock_.Monotonic() + kRefusedInterval;
    if (response->status != kNotFound && refusal_ != response->ErrorText()) {
      refusal_ = response->ErrorText();
      base::LogWarning("events cannot be written",
                       {{"server", client_.server()},
                        {"reason", refusal_},
                        {"action",
                         "status and log tell all the same; check the rights on "
                         "events of events.k8s.io"}});
    }
    break;
  }
  return absl::OkStatus();
}

}  // namespace fairlead::kube
