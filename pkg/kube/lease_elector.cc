#include "pkg/kube/lease_elector.h"

#include <algorithm>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/kube/resource.h"

namespace fairlead::kube {
namespace {

absl::StatusOr<LeaseRecord> ParseAnswer(const ApiResponse& response) {
  const nlohmann::json object =
      nlohmann::json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) return absl::InternalError("the answer is no JSON");
  return ParseLease(object);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LeaseElector>> LeaseElector::Start(ApiClient& client,
                                                                  const base::Clock& clock,
                                                                  LeaseElectorOptions options) {
  std::unique_ptr<LeaseElector> elector(new LeaseElector(client, clock, std::move(options)));
  try {
    elector->thread_ = std::thread([raw = elector.get()] { raw->Run(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat("thread for leader election: ", error.what()));
  }
  return elector;
}

LeaseElector::LeaseElector(ApiClient& client, const base::Clock& clock, LeaseElectorOptions options)
    : client_(client),
      clock_(clock),
      options_(std::move(options)),
      election_(options_.identity, options_.times) {}

LeaseElector::~LeaseElector() {
  {
    base::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

bool LeaseElector::IsLeader() const {
  base::MutexLock lock(&mutex_);
  return election_.IsLeader(clock_.Monotonic());
}

LeaseElectorHealth LeaseElector::Health() const {
  base::MutexLock lock(&mutex_);
  LeaseElectorHealth health = health_;
  health.leader = election_.IsLeader(clock_.Monotonic());
  health.holder = election_.holder();
  return health;
}

void LeaseElector::Run() {
  while (true) {
    Try();
    TellChanges();
    const absl::Duration pause = PauseAfterTry();
    base::MutexLock lock(&mutex_);
    const auto stopping = [this] {
      mutex_.AssertHeld();
      return stopping_;
    };
    if (mutex_.AwaitWithTimeout(stopping, pause)) break;
  }
  Release();
  TellChanges();
}

// Two that want to acquire do not ask in step; the one that leads wakes when its time is up.
absl::Duration LeaseElector::PauseAfterTry() {
  base::MutexLock lock(&mutex_);
  const absl::Duration at = clock_.Monotonic();
  if (election_.IsLeader(at)) return std::min(options_.times.retry, election_.leads_until() - at);
  thread_local std::minstd_rand random(std::random_device{}());
  return options_.times.retry * std::uniform_real_distribution<double>(1.0, 1.5)(random);
}

absl::Duration LeaseElector::RequestTimeout() const {
  return options_.times.duration - options_.times.renew_deadline;
}

void LeaseElector::Try() {
  std::optional<LeaseRecord> present;
  {
    base::MutexLock lock(&mutex_);
    present = election_.known();
  }
  if (!present.has_value()) {
    absl::StatusOr<std::optional<LeaseRecord>> read = Read();
    if (!read.ok()) return NoteProblem(read.status());
    present = *std::move(read);
  }
  std::optional<LeaseRecord> wanted;
  {
    base::MutexLock lock(&mutex_);
    wanted = election_.Decide(present, clock_.Monotonic(), clock_.Now());
  }
  NoteProblem(wanted.has_value() ? Write(*wanted) : absl::OkStatus());
}

absl::StatusOr<std::optional<LeaseRecord>> LeaseElector::Read() {
  const absl::StatusOr<ApiResponse> response = client_.Send(
      {.target = kLeases.Path(options_.name_space, options_.name), .timeout = RequestTimeout()});
  if (!response.ok()) return response.status();
  if (response->status == 404) return std::optional<LeaseRecord>();
  if (!response->ok()) return absl::UnavailableError(response->ErrorText());
  absl::StatusOr<LeaseRecord> record = ParseAnswer(*response);
  if (!record.ok()) return record.status();
  return std::optional<LeaseRecord>(*std::move(record));
}

absl::Status LeaseElector::Write(const LeaseRecord& record) {
  const bool create = record.resource_version.empty();
  const absl::Duration at = clock_.Monotonic();
  const absl::StatusOr<ApiResponse> response =
      client_.Send({.method = create ? "POST" : "PUT",
                    .target = kLeases.Path(options_.name_space, create ? "" : options_.name),
                    .body = LeaseObject(options_.name_space, options_.name, record).dump(),
                    .timeout = RequestTimeout()});
  base::MutexLock lock(&mutex_);
  // Also of a write whose answer was lost: it may be in force.
  election_.OnConflict();
  if (!response.ok()) return response.status();
  if (response->status == 409) return absl::OkStatus();  // another one was faster: read again
  if (!response->ok()) return absl::UnavailableError(response->ErrorText());
  absl::StatusOr<LeaseRecord> written = ParseAnswer(*response);
  if (!written.ok()) return written.status();
  if (!record.holder.empty()) election_.OnWritten(record, written->resource_version, at);
  return absl::OkStatus();
}

void LeaseElector::NoteProblem(const absl::Status& status) {
  std::string problem(status.message());
  {
    base::MutexLock lock(&mutex_);
    health_.failures_total += status.ok() ? 0 : 1;
    std::swap(problem, health_.problem);
    if (problem == health_.problem) return;
    problem = health_.problem;
  }
  if (status.ok()) {
    base::LogInfo("the Lease of the leader can be read again", {{"lease", options_.name}});
    return;
  }
  base::LogWarning(
      "the Lease of the leader can neither be read nor written; trying again",
      {{"lease", absl::StrCat(options_.name_space, "/", options_.name)}, {"reason", problem}});
}

void LeaseElector::TellChanges() {
  const bool leader = IsLeader();
  if (leader == told_leader_) return;
  told_leader_ = leader;
  std::string holder;
  {
    base::MutexLock lock(&mutex_);
    ++health_.transitions_total;
    holder = election_.holder();
  }
  const std::string lease = absl::StrCat(options_.name_space, "/", options_.name);
  if (leader) {
    base::LogInfo("this process leads now", {{"identity", options_.identity}, {"lease", lease}});
  } else {
    base::LogWarning("this process leads no longer",
                     {{"identity", options_.identity}, {"lease", lease}, {"holder", holder}});
  }
  options_.on_change();
}

void LeaseElector::Release() {
  std::optional<LeaseRecord> released;
  {
    base::MutexLock lock(&mutex_);
    released = election_.Release(clock_.Monotonic(), clock_.Now());
  }
  if (!released.has_value()) return;
  if (const absl::Status status = Write(*released); !status.ok()) {
    base::LogWarning("the Lease was not given up; the next leader waits until it expires",
                     {{"lease", options_.name}, {"reason", std::string(status.message())}});
  }
}

}  // namespace fairlead::kube
