#include "pkg/kube/list_watch.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "pkg/base/log.h"
#include "pkg/model/suggestion.h"

namespace fairlead::kube {
namespace {

constexpr double kWatchSecondsMin = 290;
constexpr double kWatchSecondsMax = 600;
constexpr absl::Duration kWatchSlack = absl::Seconds(30);  // the server ends it, else the client
constexpr absl::Duration kEarly = absl::Seconds(5);        // before its time: something happened
constexpr absl::Duration kTooShort = absl::Seconds(1);
constexpr absl::Duration kRetryAfterMax = absl::Minutes(5);
constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr int kGone = 410;
constexpr int kUnprocessable = 422;

// RFC 3986 §2.1.
std::string Encoded(absl::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded.push_back(c);
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", byte);
    }
  }
  return encoded;
}

bool IsGone(const absl::StatusOr<ApiResponse>& result) {
  return result.ok() && result->status == kGone;
}

bool IsVersionTooLarge(const absl::StatusOr<ApiResponse>& result) {
  return result.ok() && !result->ok() && DecodeStatus(result->body).version_too_large;
}

}  // namespace

ListWatch::ListWatch(const Resource& resource, ReflectorOptions options, std::string server,
                     const base::Clock& clock, std::function<double()> chance, ReflectorSink& sink)
    : resource_(resource),
      options_(std::move(options)),
      server_(std::move(server)),
      clock_(clock),
      chance_(std::move(chance)),
      sink_(sink) {}

std::string ListWatch::Target(std::vector<std::pair<std::string, std::string>> query) const {
  if (!options_.label_selector.empty())
    query.emplace_back("labelSelector", options_.label_selector);
  std::string target = resource_.Path(options_.name_space);
  char separator = '?';
  for (const auto& [name, value] : query) {
    absl::StrAppend(&target, std::string(1, separator), name, "=", Encoded(value));
    separator = '&';
  }
  return target;
}

ApiRequest ListWatch::StreamRequest() const {
  std::vector<std::pair<std::string, std::string>> query = {
      {"watch", "true"},
      {"sendInitialEvents", "true"},
      {"resourceVersionMatch", "NotOlderThan"},
      {"allowWatchBookmarks", "true"},
      {"timeoutSeconds", absl::StrCat(absl::ToInt64Seconds(kListTimeout))}};
  if (!list_version_.empty()) query.emplace_back("resourceVersion", list_version_);
  ApiRequest request;
  request.target = Target(std::move(query));
  request.timeout = kListTimeout;
  return request;
}

ApiRequest ListWatch::ListRequest() const {
  ApiRequest request;
  request.timeout = kListTimeout;
  std::vector<std::pair<std::string, std::string>> query;
  // A page of a version that the server knows would be read from etcd; its cache has all at once.
  const bool has_limit = pages_ && (list_version_.empty() || list_version_ == "0");
  if (has_limit) query.emplace_back("limit", absl::StrCat(kPageObjects));
  if (!continue_token_.empty()) {
    query.emplace_back("continue", continue_token_);  // which holds the version
  } else if (!list_version_.empty()) {
    query.emplace_back("resourceVersion", list_version_);
  }
  request.target = Target(std::move(query));
  return request;
}

ApiRequest ListWatch::WatchRequest() {
  const double seconds = kWatchSecondsMin + chance_() * (kWatchSecondsMax - kWatchSecondsMin);
  watch_seconds_ = absl::Seconds(static_cast<int64_t>(seconds));
  ApiRequest request;
  request.target = Target({{"watch", "true"},
                           {"resourceVersion", last_version_},
                           {"allowWatchBookmarks", "true"},
                           {"timeoutSeconds", absl::StrCat(absl::ToInt64Seconds(watch_seconds_))}});
  request.timeout = watch_seconds_ + kWatchSlack;
  request.silence_max = kWatchSilence;
  return request;
}

ApiRequest ListWatch::CheckRequest() const {
  ApiRequest request;
  request.target = Target({{"limit", "1"},
                           {"resourceVersion", last_version_},
                           {"resourceVersionMatch", "NotOlderThan"}});
  return request;
}

ListWatch::Step ListWatch::Next() {
  Step step;
  step.wait = std::exchange(wait_, absl::ZeroDuration());
  flaw_ = Flaw::kNone;
  switch (phase_) {
    case Phase::kStream:
      streamed_.clear();
      is_complete_ = false;
      step.request = StreamRequest();
      break;
    case Phase::kList:
      step.request = ListRequest();
      break;
    case Phase::kWatch:
      watch_events_count_ = 0;
      watch_started_ = clock_.Monotonic() + step.wait;
      step.request = WatchRequest();
      break;
    case Phase::kCheck:
      step.request = CheckRequest();
      break;
  }
  step.streams = phase_ == Phase::kStream || phase_ == Phase::kWatch;
  base::MutexLock lock(&mutex_);
  if (phase_ == Phase::kWatch) ++health_.watches_total;
  if (phase_ == Phase::kStream || (phase_ == Phase::kList && continue_token_.empty())) {
    ++health_.lists_total;
  }
  return step;
}

void ListWatch::OnOpen() {
  if (phase_ != Phase::kWatch) return;
  {
    base::MutexLock lock(&mutex_);
    follows_ = true;
  }
  BecomeCurrent();
}

bool ListWatch::OnLine(absl::string_view line) {
  const absl::StatusOr<WatchEvent> event = DecodeEvent(line, resource_);
  if (!event.ok()) {
    flaw_ = Flaw::kBroken;
    flaw_text_ = absl::StrCat(server_, ": ", event.status().message());
    return false;
  }
  if (event->type == WatchEvent::Type::kError) {
    flaw_ = event->status.code == kGone ? Flaw::kExpired : Flaw::kRefused;
    flaw_text_ = absl::StrCat(server_, " ended the watch: ", event->status.code, " ",
                              model::Printable(event->status.reason, 64), ": ",
                              model::Printable(event->status.message, 512));
    return false;
  }
  return phase_ == Phase::kStream ? OnStreamEvent(*event) : OnWatchEvent(*event);
}

bool ListWatch::OnStreamEvent(const WatchEvent& event) {
  switch (event.type) {
    case WatchEvent::Type::kUpsert:
      streamed_[{event.object->name_space, event.object->name}] = event.object;
      return true;
    case WatchEvent::Type::kDelete:
      streamed_.erase({event.object->name_space, event.object->name});
      return true;
    case WatchEvent::Type::kBookmark:
    case WatchEvent::Type::kError:
      break;
  }
  if (!event.ends_initial_events) return true;
  is_complete_ = true;
  std::vector<KubeObjectPtr> objects;
  objects.reserve(streamed_.size());
  for (auto& [key, object] : streamed_) objects.push_back(std::move(object));
  streamed_.clear();
  Replace(std::move(objects), event.resource_version);
  return false;
}

bool ListWatch::OnWatchEvent(const WatchEvent& event) {
  ++watch_events_count_;
  last_version_ = event.resource_version;
  {
    base::MutexLock lock(&mutex_);
    ++health_.events_total;
    health_.current = clock_.Now();
    follows_ = true;
  }
  BecomeCurrent();
  switch (event.type) {
    case WatchEvent::Type::kUpsert:
      sink_.OnUpsert(event.object);
      break;
    case WatchEvent::Type::kDelete:
      sink_.OnDelete(event.object->name_space, event.object->name);
      break;
    case WatchEvent::Type::kBookmark:
    case WatchEvent::Type::kError:
      break;
  }
  return true;
}

void ListWatch::OnEnd(const absl::StatusOr<ApiResponse>& result) {
  switch (phase_) {
    case Phase::kStream:
      return OnStreamEnd(result);
    case Phase::kList:
      return OnListEnd(result);
    case Phase::kWatch:
      return OnWatchEnd(result);
    case Phase::kCheck:
      return OnCheckEnd(result);
  }
}

void ListWatch::OnStreamEnd(const absl::StatusOr<ApiResponse>& result) {
  if (is_complete_) {
    phase_ = Phase::kWatch;
    return;
  }
  // It gets one attempt: a plain list may be had where it is not.
  phase_ = Phase::kList;
  // Servers before 1.32 refuse it, by a status or (their etcd is too old for it) an event; those
  // before 1.19 do not know that there is an end to tell, and proxies may hold a stream back.
  const bool is_refused =
      result.ok() && (result->status == kUnprocessable || result->status == kBadRequest);
  const bool has_no_end = result.ok() ? result->ok() : absl::IsDeadlineExceeded(result.status());
  if (flaw_ == Flaw::kBroken) return FailBecause(flaw_text_);
  if (flaw_ == Flaw::kExpired) return;
  if (!is_refused && !has_no_end) return Fail(result);
  has_streaming_list_ = false;
}

void ListWatch::OnListEnd(const absl::StatusOr<ApiResponse>& result) {
  if (IsGone(result) || IsVersionTooLarge(result)) {
    if (!continue_token_.empty()) {  // it lives for some minutes only
      pages_ = false;
      return StartConsistentList();
    }
    if (!list_version_.empty()) return StartConsistentList();
  }
  if (!result.ok() || !result->ok()) {
    listed_.clear();
    continue_token_.clear();
    return Fail(result);
  }
  absl::StatusOr<ObjectList> page = DecodeList(result->body, resource_);
  if (!page.ok()) {
    listed_.clear();
    continue_token_.clear();
    return FailBecause(absl::StrCat(server_, ": ", page.status().message()));
  }
  std::move(page->objects.begin(), page->objects.end(), std::back_inserter(listed_));
  continue_token_ = page->continue_token;
  if (!continue_token_.empty()) return;
  phase_ = Phase::kWatch;
  pages_ = true;
  Replace(std::exchange(listed_, {}), page->resource_version);
}

void ListWatch::OnWatchEnd(const absl::StatusOr<ApiResponse>& result) {
  {
    base::MutexLock lock(&mutex_);
    if (follows_) health_.current = clock_.Now();
    follows_ = false;
  }
  const absl::Duration lasted = clock_.Monotonic() - watch_started_;
  const bool was_useful = lasted >= kTooShort || watch_events_count_ > 0;
  switch (flaw_) {
    case Flaw::kNone:
      break;
    case Flaw::kExpired:
      StartOver();
      if (was_useful) return;  // else it may expire again and again
      return FailBecause(flaw_text_);
    case Flaw::kBroken:  // the same line would come again
      StartOver();
      return FailBecause(flaw_text_);
    case Flaw::kRefused:
      phase_ = Phase::kCheck;
      return FailBecause(flaw_text_);
  }
  if (IsGone(result) || IsVersionTooLarge(result)) {
    StartOver();
    return Fail(result);
  }
  if (absl::IsDeadlineExceeded(result.status())) {  // silent; it may be gone
    phase_ = Phase::kCheck;
    return;
  }
  if (!result.ok() || !result->ok()) {
    phase_ = Phase::kCheck;
    return Fail(result);
  }
  if (!was_useful) {
    phase_ = Phase::kCheck;
    return FailBecause(absl::StrCat(server_, " ended the watch at once"));
  }
  if (clock_.Monotonic() >= relist_at_) return StartOver();
  if (lasted < watch_seconds_ - kEarly) phase_ = Phase::kCheck;
}

void ListWatch::OnCheckEnd(const absl::StatusOr<ApiResponse>& result) {
  if (result.ok() && result->ok()) {
    phase_ = Phase::kWatch;
    return;
  }
  const bool is_refused =
      result.ok() && (result->status == kUnprocessable || result->status == kBadRequest);
  if (IsVersionTooLarge(result) || IsGone(result) || is_refused) {
    StartOver();
    if (IsVersionTooLarge(result)) list_version_.clear();
    return;
  }
  Fail(result);
}

void ListWatch::StartOver() {
  listed_.clear();
  continue_token_.clear();
  pages_ = true;
  list_version_ = last_version_;
  phase_ = has_streaming_list_ ? Phase::kStream : Phase::kList;
}

void ListWatch::StartConsistentList() {
  listed_.clear();
  continue_token_.clear();
  list_version_.clear();
}

void ListWatch::Replace(std::vector<KubeObjectPtr> objects, const std::string& resource_version) {
  last_version_ = resource_version;
  list_version_ = resource_version;
  relist_at_ = clock_.Monotonic() + kRelist * (0.9 + 0.2 * chance_());
  {
    base::MutexLock lock(&mutex_);
    health_.synced = true;
    health_.current = clock_.Now();
  }
  sink_.OnReplace(std::move(objects));
  sink_.OnHealth();
}

void ListWatch::Fail(const absl::StatusOr<ApiResponse>& result) {
  if (!result.ok()) return FailBecause(std::string(result.status().message()));
  std::string problem = absl::StrCat(server_, ": ", result->ErrorText());
  if (result->status == kNotFound) {
    absl::StrAppend(&problem, "; is the type ", resource_.plural, " of ", resource_.ApiVersion(),
                    " installed?");
  }
  FailBecause(problem,
              std::min(result->retry_after.value_or(absl::ZeroDuration()), kRetryAfterMax));
}

void ListWatch::FailBecause(const std::string& problem, absl::Duration wait_at_least) {
  wait_ = std::max(backoff_.Next(clock_.Monotonic(), chance_()), wait_at_least);
  bool was_fine = false;
  {
    base::MutexLock lock(&mutex_);
    ++health_.failures_total;
    was_fine = health_.problem.empty();
    health_.problem = problem;
    follows_ = false;
  }
  if (was_fine) {
    base::LogWarning("API server is not followed",
                     {{"server", server_},
                      {"resource", std::string(resource_.plural)},
                      {"cause", problem},
                      {"action", "what is known stays in force; it is tried again"}});
  }
  sink_.OnHealth();
}

void ListWatch::BecomeCurrent() {
  {
    base::MutexLock lock(&mutex_);
    if (health_.problem.empty()) return;
    health_.problem.clear();
  }
  base::LogInfo("API server is followed again",
                {{"server", server_}, {"resource", std::string(resource_.plural)}});
  sink_.OnHealth();
}

ReflectorHealth ListWatch::Health() const {
  base::MutexLock lock(&mutex_);
  ReflectorHealth health = health_;
  if (follows_) health.current = clock_.Now();
  return health;
}

}  // namespace fairlead::kube
