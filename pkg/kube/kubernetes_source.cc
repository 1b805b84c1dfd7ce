#include "pkg/kube/kubernetes_source.h"

#include <algorithm>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/log.h"
#include "pkg/base/mutex.h"
#include "pkg/kube/cluster_state.h"
#include "pkg/kube/kept_state.h"
#include "pkg/source/change_log.h"

namespace fairlead::kube {
namespace {

using model::DesiredState;
using source::SourceHealth;

// How often the reflectors are asked for their health without being heard of.
constexpr absl::Duration kHealthInterval = absl::Seconds(1);
// The endpoints of the first Service that a VIP names are waited for, so that an edit from a list
// to a Service does not pass through nothing.
constexpr absl::Duration kSlicesMax = absl::Seconds(3);

// What one reflector told since the last look: of each object the newest version, null = deleted.
struct Changes {
  bool replaced = false;
  std::map<std::pair<std::string, std::string>, KubeObjectPtr> objects;

  bool empty() const { return !replaced && objects.empty(); }
};

class Source final : public KubernetesSource {
 public:
  Source(const base::Clock& clock, KubernetesSourceOptions options, ReflectorFactory factory,
         source::DesiredStateCallback on_state, source::SourceHealthCallback on_health)
      : clock_(clock),
        options_(std::move(options)),
        origin_(absl::StrCat(options_.server, options_.name_space.empty() ? "" : ", namespace ",
                             options_.name_space)),
        factory_(std::move(factory)),
        on_state_(std::move(on_state)),
        on_health_(std::move(on_health)),
        started_(clock.Monotonic()),
        state_(std::make_unique<ClusterState>(StateOptions())) {}

  ~Source() override {
    Stop();
    for (Feed& feed : feeds_) feed.reflector.reset();
  }

  absl::Status Begin() {
    if (!options_.state_directory.empty()) {
      auto kept = KeptState::Create(options_.state_directory);
      if (!kept.ok()) return kept.status();
      kept_ = *std::move(kept);
    }
    for (Feed* feed : {&vips_, &real_servers_}) {
      if (absl::Status status = StartFeed(*feed); !status.ok()) return status;
    }
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(
          absl::StrCat("thread of the configuration: ", error.what(), "; check the limit of pids"));
    }
    return absl::OkStatus();
  }

  void Stop() override {
    {
      base::MutexLock lock(&mutex_);
      stop_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  std::shared_ptr<const ObservedVips> Observed() const override {
    base::MutexLock lock(&mutex_);
    return observed_;
  }

 private:
  // A reflector and what it told. On the reflector's thread the sink, on the source's the rest.
  struct Feed final : ReflectorSink {
    Feed(Source& owner, const Resource& of) : source(owner), resource(of) {}
    void OnReplace(std::vector<KubeObjectPtr> objects) override {
      base::MutexLock lock(&source.mutex_);
      Changes& changes = source.changes_[resource.plural];
      changes = {.replaced = true, .objects = {}};
      for (KubeObjectPtr& object : objects) {
        std::pair key(object->name_space, object->name);
        changes.objects[std::move(key)] = std::move(object);
      }
      source.OnChange();
    }
    void OnUpsert(KubeObjectPtr object) override {
      base::MutexLock lock(&source.mutex_);
      std::pair key(object->name_space, object->name);
      source.changes_[resource.plural].objects[std::move(key)] = std::move(object);
      source.OnChange();
    }
    void OnDelete(const std::string& name_space, const std::string& name) override {
      base::MutexLock lock(&source.mutex_);
      source.changes_[resource.plural].objects[{name_space, name}] = nullptr;
      source.OnChange();
    }
    void OnHealth() override {
      base::MutexLock lock(&source.mutex_);
      source.health_changed_ = true;
    }

    Source& source;
    const Resource& resource;
    std::unique_ptr<Reflector> reflector;
    bool synced = false;  // what it has told is everything
  };

  ClusterStateOptions StateOptions() const {
    return {.modes = options_.modes, .admin = options_.admin};
  }

  absl::Status StartFeed(Feed& feed) {
    auto reflector = factory_(feed.resource, {.name_space = options_.name_space}, feed);
    if (!reflector.ok()) return reflector.status();
    feed.reflector = *std::move(reflector);
    return absl::OkStatus();
  }

  void OnChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    last_change_ = clock_.Monotonic();
    if (first_change_ == absl::InfiniteDuration()) first_change_ = last_change_;
  }

  void Run() {
    Restore();
    while (WaitForWork()) {
      const bool changed = TakeChanges();
      if (state_->needs_endpoint_slices() && slices_.reflector == nullptr) StartSlices();
      CheckHealth();
      if (MayPublish()) Publish();
      if (changed && IsSynced()) Observe();
      if (clock_.Monotonic() >= keep_at_) Keep();
    }
    if (keep_at_ != absl::InfiniteDuration()) Keep();
  }

  // Until there is something to do; false: stop.
  bool WaitForWork() {
    const absl::Duration tick = std::min(clock_.Monotonic() + kHealthInterval, keep_at_);
    base::MutexLock lock(&mutex_);
    while (!stop_) {
      const absl::Duration now = clock_.Monotonic();
      const absl::Duration settled = std::min(first_change_ + kSettleMax, last_change_ + kSettle);
      const bool is_waiting = first_change_ != absl::InfiniteDuration();
      const absl::Duration due = is_waiting ? settled : tick;
      if (now >= due || (health_changed_ && !is_waiting)) return true;
      const absl::Duration seen = last_change_;
      mutex_.AwaitWithTimeout(
          [&] {
            mutex_.AssertHeld();
            return stop_ || health_changed_ || last_change_ != seen;
          },
          due - now);
      if (is_waiting) health_changed_ = false;  // looked at when the changes are
    }
    return false;
  }

  bool TakeChanges() {
    std::map<absl::string_view, Changes> taken;
    {
      base::MutexLock lock(&mutex_);
      taken = std::exchange(changes_, {});
      first_change_ = absl::InfiniteDuration();
      health_changed_ = false;
    }
    for (Feed& feed : feeds_) {
      const Changes& changes = taken[feed.resource.plural];
      if (changes.replaced) {
        std::vector<KubeObjectPtr> objects;
        for (const auto& [key, object] : changes.objects) {
          if (object != nullptr) objects.push_back(object);
        }
        state_->Replace(feed.resource, objects);
        feed.synced = true;
        continue;
      }
      for (const auto& [key, object] : changes.objects) {
        if (object != nullptr) {
          state_->Upsert(feed.resource, object);
        } else {
          state_->Delete(feed.resource, key.first, key.second);
        }
      }
    }
    return !taken.empty();
  }

  void StartSlices() {
    const absl::Status status = StartFeed(slices_);
    slices_awaited_until_ = clock_.Monotonic() + kSlicesMax;
    if (status.ok()) return;
    base::LogError("endpoints of Services are not followed",
                   {{"reason", std::string(status.message())}});
  }

  bool IsSynced() const {
    return std::all_of(std::begin(feeds_), std::end(feeds_),
                       [](const Feed& feed) { return feed.reflector == nullptr || feed.synced; });
  }

  bool MayPublish() const {
    if (IsSynced()) return true;
    const absl::Duration now = clock_.Monotonic();
    if (published_ != nullptr) return now >= slices_awaited_until_;
    return is_restored_ && now >= started_ + options_.patience;
  }

  void Publish() {
    if (published_ != nullptr && !state_->dirty()) return;
    if (published_ == nullptr && !IsSynced()) {
      base::LogWarning("the configuration that was kept on disk is served; it may be out of date",
                       {{"file", kept_->path()}, {"reason", health_.problem}});
    }
    std::shared_ptr<const DesiredState> state = state_->Merge();
    if (published_ != nullptr && *published_ == *state) return;
    source::LogChanges(published_ != nullptr ? *published_ : DesiredState(), *state);
    published_ = state;
    ++published_count_;
    on_state_(std::move(state));
    if (kept_ == nullptr || !IsSynced()) return;
    const absl::Duration now = clock_.Monotonic();
    keep_at_ = std::min(keep_at_, std::max(now + kHealthInterval, kept_last_ + kKeepInterval));
  }

  void Observe() {
    auto observed = std::make_shared<ObservedVips>();
    observed->published_count = published_count_;
    observed->vips = state_->Vips();
    base::MutexLock lock(&mutex_);
    observed_ = std::move(observed);
  }

  void CheckHealth() {
    SourceHealth health = {.problem = "", .current = clock_.Now()};
    for (const Feed& feed : feeds_) {
      if (feed.reflector == nullptr) continue;
      const ReflectorHealth reflector = feed.reflector->Health();
      if (reflector.problem.empty()) continue;
      health.current = std::min(health.current, reflector.current);
      if (health.problem.empty()) {
        health.problem = absl::StrCat(feed.resource.plural, ": ", reflector.problem);
      }
    }
    if (health.problem == health_.problem) return;
    if (health_.problem.empty()) {
      base::LogWarning("the configuration is not followed; what is in force stays",
                       {{"reason", health.problem}});
    } else if (health.problem.empty()) {
      base::LogInfo("the configuration is followed again", {{"server", options_.server}});
    }
    health_ = health;
    on_health_(health_);
  }

  void Restore() {
    if (kept_ == nullptr) return;
    const absl::StatusOr<std::string> text = kept_->Load();
    absl::Status status = text.status();
    if (text.ok()) {
      if (text->empty()) return;
      status = state_->Restore(*text, origin_);
    }
    if (!status.ok()) {
      base::LogWarning("the configuration that was kept on disk is not used",
                       {{"file", kept_->path()}, {"reason", std::string(status.message())}});
      state_ = std::make_unique<ClusterState>(StateOptions());
      return;
    }
    // Its objects are the last good versions of what the API server has now.
    state_->Merge();
    is_restored_ = true;
  }

  void Keep() {
    keep_at_ = absl::InfiniteDuration();
    kept_last_ = clock_.Monotonic();
    kept_->Save(state_->Encode(origin_));
  }

  const base::Clock& clock_;
  const KubernetesSourceOptions options_;
  const std::string origin_;
  const ReflectorFactory factory_;
  const source::DesiredStateCallback on_state_;
  const source::SourceHealthCallback on_health_;
  const absl::Duration started_;

  mutable base::Mutex mutex_;
  std::map<absl::string_view, Changes> changes_ ABSL_GUARDED_BY(mutex_);  // by plural
  absl::Duration first_change_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  absl::Duration last_change_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  bool health_changed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const ObservedVips> observed_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const ObservedVips>();

  // The rest belongs to the thread.
  std::unique_ptr<KeptState> kept_;  // null: nothing is kept
  std::unique_ptr<ClusterState> state_;
  Feed feeds_[3] = {{*this, kVips}, {*this, kRealServers}, {*this, kEndpointSlices}};
  Feed& vips_ = feeds_[0];
  Feed& real_servers_ = feeds_[1];
  Feed& slices_ = feeds_[2];  // without a reflector until a VIP names a Service
  absl::Duration slices_awaited_until_ = -absl::InfiniteDuration();
  bool is_restored_ = false;
  std::shared_ptr<const DesiredState> published_;  // null until the first call
  uint64_t published_count_ = 0;
  SourceHealth health_;
  absl::Duration keep_at_ = absl::InfiniteDuration();
  absl::Duration kept_last_ = -absl::InfiniteDuration();
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<KubernetesSource>> KubernetesSource::Start(
    const base::Clock& clock, KubernetesSourceOptions options, ReflectorFactory factory,
    source::DesiredStateCallback on_state, source::SourceHealthCallback on_health) {
  auto source = std::make_unique<Source>(clock, std::move(options), std::move(factory),
                                         std::move(on_state), std::move(on_health));
  if (absl::Status status = source->Begin(); !status.ok()) return status;
  return source;
}

}  // namespace fairlead::kube
