#include "pkg/kube/kubernetes_source.h"

#include <filesystem>

#include "pkg/base/mutex.h"
#include "tests/unit/kube/kube_testing.h"

namespace fairlead::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// What a reflector says of itself, set by the test.
class ReflectorSwitch {
 public:
  ReflectorHealth Get() const {
    base::MutexLock lock(&mutex_);
    return health_;
  }
  void Set(const std::string& problem) {
    base::MutexLock lock(&mutex_);
    health_.problem = problem;
  }

 private:
  mutable base::Mutex mutex_;
  ReflectorHealth health_ ABSL_GUARDED_BY(mutex_);
};

class SwitchedReflector final : public Reflector {
 public:
  explicit SwitchedReflector(const ReflectorSwitch& health) : health_(health) {}
  ReflectorHealth Health() const override { return health_.Get(); }

 private:
  const ReflectorSwitch& health_;
};

class KubernetesSourceTest : public testing::Test {
 protected:
  KubernetesSourceTest() {
    std::string name = (std::filesystem::temp_directory_path() / "fairlead-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~KubernetesSourceTest() override { std::filesystem::remove_all(directory_); }

  void Start(absl::Duration patience = absl::Hours(1)) {
    KubernetesSourceOptions options;
    options.modes = {model::Mode::kSnat, model::Mode::kDr, model::Mode::kAuto};
    options.state_directory = directory_;
    options.server = "https://a:6443";
    options.patience = patience;
    auto made = KubernetesSource::Start(
        clock_, options,
        [this](const Resource& resource, ReflectorOptions, ReflectorSink& sink) {
          base::MutexLock lock(&mutex_);
          sinks_[resource.plural] = &sink;
          return std::make_unique<SwitchedReflector>(switch_);
        },
        [this](std::shared_ptr<const model::DesiredState> state) {
          base::MutexLock lock(&mutex_);
          states_.push_back(std::move(state));
        },
        [this](const source::SourceHealth& health) {
          base::MutexLock lock(&mutex_);
          problems_.push_back(health.problem);
        });
    ASSERT_TRUE(made.ok()) << made.status();
    source_ = *std::move(made);
  }

  template <typename Condition>
  bool Await(const Condition& condition, absl::Duration timeout = absl::Seconds(20)) {
    base::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(
        [&] {
          mutex_.AssertHeld();
          return condition();
        },
        timeout);
  }
  bool AwaitStates(size_t count) {
    return Await([&] { return states_.size() >= count; });
  }
  // Nothing more comes for a moment.
  void ExpectStates(size_t count) {
    EXPECT_FALSE(Await([&] { return states_.size() > count; }, absl::Milliseconds(150)));
    EXPECT_THAT(states_, SizeIs(count));
  }
  ReflectorSink& Sink(absl::string_view plural) {
    base::MutexLock lock(&mutex_);
    return *sinks_.at(plural);
  }
  std::vector<std::string> Names() {
    base::MutexLock lock(&mutex_);
    std::vector<std::string> names;
    for (const model::Vip& vip : states_.back()->vips) names.push_back(vip.id.name);
    return names;
  }

  static KubeObjectPtr Vip(const std::string& name, const std::string& address) {
    return VipObject(name, {{"addresses", {address}}, {"ports", "80"}});
  }

  const base::SystemClock clock_;
  std::string directory_;
  ReflectorSwitch switch_;
  base::Mutex mutex_;
  std::map<absl::string_view, ReflectorSink*> sinks_;
  std::vector<std::shared_ptr<const model::DesiredState>> states_;
  std::vector<std::string> problems_;
  std::unique_ptr<KubernetesSource> source_;
};

TEST_F(KubernetesSourceTest, PublishesWhenEverythingHasSynced) {
  Start();
  Sink("vips").OnReplace({Vip("a", "10.0.0.1")});
  ExpectStates(0);
  EXPECT_THAT(source_->Observed()->vips, IsEmpty());
  Sink("realservers").OnReplace({});
  ASSERT_TRUE(AwaitStates(1));
  EXPECT_THAT(Names(), ElementsAre("a"));
  EXPECT_FALSE(sinks_.contains("endpointslices"));
}

TEST_F(KubernetesSourceTest, AnEmptyClusterIsAWishForNothing) {
  Start();
  Sink("vips").OnReplace({});
  Sink("realservers").OnReplace({});
  ASSERT_TRUE(AwaitStates(1));
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(KubernetesSourceTest, ABurstIsOneStateAndTheLastVersionCounts) {
  Start();
  Sink("vips").OnReplace({});
  Sink("realservers").OnReplace({});
  ASSERT_TRUE(AwaitStates(1));
  for (int i = 1; i <= 50; ++i) {
    Sink("vips").OnUpsert(Vip("a", "10.0.0." + std::to_string(i)));
  }
  Sink("vips").OnUpsert(Vip("b", "10.0.1.1"));
  Sink("vips").OnDelete("default", "b");
  ASSERT_TRUE(AwaitStates(2));
  ExpectStates(2);
  EXPECT_EQ(states_.back()->vips.at(0).addresses.at(0).ToString(), "10.0.0.50");
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(KubernetesSourceTest, AStatusIsObservedAndPublishesNothing) {
  Start();
  Sink("vips").OnReplace({Vip("a", "10.0.0.1")});
  Sink("realservers").OnReplace({});
  ASSERT_TRUE(AwaitStates(1));
  Sink("vips").OnUpsert(VipObject("a", {{"addresses", {"10.0.0.1"}}, {"ports", "80"}},
                                  "2026-01-02T03:04:05Z", {{"summary", "1/1"}}));
  ExpectStates(1);
  const auto observed = source_->Observed();
  EXPECT_EQ(observed->published_count, 1u);
  ASSERT_THAT(observed->vips, SizeIs(1));
  EXPECT_EQ(StringAt(observed->vips[0]->json, {"status", "summary"}), "1/1");
}

TEST_F(KubernetesSourceTest, EndpointsAreFollowedOnceAVipNamesAService) {
  Start();
  Sink("vips").OnReplace({VipObject("a", {{"addresses", {"10.0.0.1"}},
                                          {"ports", "80"},
                                          {"realServers", {{"service", {{"name", "pods"}}}}}})});
  Sink("realservers").OnReplace({});
  ASSERT_TRUE(Await([this] { return sinks_.contains("endpointslices"); }));
  ExpectStates(0);
  Sink("endpointslices").OnReplace({SliceObject("p-1", "pods", {EndpointOf("p1", "10.2.0.1")})});
  ASSERT_TRUE(AwaitStates(1));
  EXPECT_THAT(model::ServersOf(*states_[0], states_[0]->vips.at(0)), SizeIs(1));
}

TEST_F(KubernetesSourceTest, AnOutageChangesNothingAndIsTold) {
  Start();
  Sink("vips").OnReplace({Vip("a", "10.0.0.1")});
  Sink("realservers").OnReplace({});
  ASSERT_TRUE(AwaitStates(1));
  switch_.Set("connect to https://a:6443: refused");
  Sink("vips").OnHealth();
  ASSERT_TRUE(Await([this] { return problems_.size() == 1; }));
  EXPECT_THAT(problems_[0], HasSubstr("vips: connect to https://a:6443: refused"));
  ExpectStates(1);
  switch_.Set("");
  Sink("vips").OnHealth();
  ASSERT_TRUE(Await([this] { return problems_.size() == 2; }));
  EXPECT_EQ(problems_[1], "");
  ExpectStates(1);
}

TEST_F(KubernetesSourceTest, WithoutTheApiServerTheNextProcessServesWhatWasKept) {
  Start();
  Sink("vips").OnReplace({Vip("a", "10.0.0.1")});
  Sink("realservers").OnReplace({ServerObject("s1", "a", {{"address", "10.1.0.1"}})});
  ASSERT_TRUE(AwaitStates(1));
  source_.reset();  // writes the file
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/cluster.json"));

  states_.clear();
  switch_.Set("no route");
  Start(/*patience=*/absl::Milliseconds(100));
  ASSERT_TRUE(AwaitStates(1));
  EXPECT_THAT(Names(), ElementsAre("a"));
  EXPECT_THAT(states_[0]->real_servers, SizeIs(1));
  EXPECT_THAT(source_->Observed()->vips, IsEmpty());
  // The API server is back, and something has gone meanwhile.
  switch_.Set("");
  Sink("vips").OnReplace({Vip("b", "10.0.0.2")});
  Sink("realservers").OnReplace({});
  ASSERT_TRUE(Await([this] {
    return states_.back()->vips.size() == 1 && states_.back()->vips[0].id.name == "b" &&
           states_.back()->real_servers.empty();
  }));
}

TEST_F(KubernetesSourceTest, AKeptFileOfAnotherKindIsNotUsed) {
  std::filesystem::create_directories(directory_);
  FILE* file = fopen((directory_ + "/cluster.json").c_str(), "w");
  ASSERT_NE(file, nullptr);
  fputs("{\"version\":1,\"origin\":\"https://b\",\"vips\":[]}", file);
  fclose(file);
  Start(/*patience=*/absl::ZeroDuration());
  ExpectStates(0);
  Sink("vips").OnReplace({Vip("a", "10.0.0.1")});
  Sink("realservers").OnReplace({});
  ASSERT_TRUE(AwaitStates(1));
  EXPECT_THAT(Names(), ElementsAre("a"));
}

}  // namespace
}  // namespace fairlead::kube
