// The reflector as a program, for the tests with real API servers: follows one resource and writes
// down what its sink is told, one JSON object a line.
//
//   kube_follower KUBECONFIG PLURAL
//   {"replace":{"default/a":"12"}}   {"upsert":["default/a","13"]}   {"delete":"default/a"}
//
// A line "health" on stdin is answered with a line {"health":{...}}; the end of stdin is the end.
#include <signal.h>

#include <atomic>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/cluster_access.h"
#include "pkg/kube/reflector.h"

namespace fairlead::kube {
namespace {

// Both the reflector's thread and main write lines.
void WriteLine(const nlohmann::json& line) {
  static base::Mutex& mutex = *new base::Mutex();
  base::MutexLock lock(&mutex);
  std::cout << line.dump() << std::endl;
}

std::string KeyOf(const KubeObject& object) {
  return absl::StrCat(object.name_space, "/", object.name);
}

class Writer final : public ReflectorSink {
 public:
  void OnReplace(std::vector<KubeObjectPtr> objects) override {
    nlohmann::json all = nlohmann::json::object();
    for (const auto& object : objects) all[KeyOf(*object)] = object->resource_version;
    WriteLine({{"replace", all}});
  }
  void OnUpsert(KubeObjectPtr object) override {
    WriteLine({{"upsert", {KeyOf(*object), object->resource_version}}});
  }
  void OnDelete(const std::string& name_space, const std::string& name) override {
    WriteLine({{"delete", absl::StrCat(name_space, "/", name)}});
  }
};

// Tells whether a watch is open, which the reflector does not.
class WatchfulClient final : public ApiClient {
 public:
  explicit WatchfulClient(ApiClient& client) : client_(client) {}

  absl::StatusOr<ApiResponse> Send(const ApiRequest& request) override {
    return client_.Send(request);
  }
  absl::StatusOr<ApiResponse> Stream(
      const ApiRequest& request, absl::FunctionRef<bool(absl::string_view line)> on_line) override {
    ApiRequest observed = request;
    observed.on_open = [this, &request] {
      request.on_open();
      is_watching_ = !absl::StrContains(request.target, "sendInitialEvents");
    };
    auto result = client_.Stream(observed, on_line);
    is_watching_ = false;
    return result;
  }
  void Cancel() override { client_.Cancel(); }
  std::string server() const override { return client_.server(); }

  bool is_watching() const { return is_watching_; }

 private:
  ApiClient& client_;
  std::atomic<bool> is_watching_ = false;
};

int Fail(const absl::Status& status) {
  std::cerr << "kube_follower: " << status.message() << "\n";
  return 1;
}

int Follow(const std::string& kubeconfig, absl::string_view plural) {
  const Resource* resource = nullptr;
  for (const Resource* known : {&kVips, &kRealServers, &kAddressPools, &kServices}) {
    if (known->plural == plural) resource = known;
  }
  if (resource == nullptr) return Fail(absl::NotFoundError(absl::StrCat("no type ", plural)));
  const auto access = KubeconfigAccess(kubeconfig);
  if (!access.ok()) return Fail(access.status());
  const base::SystemClock clock;
  const auto client = MakeApiClient(*access, clock);
  if (!client.ok()) return Fail(client.status());
  WatchfulClient watchful(**client);
  Writer writer;
  auto reflector = Reflector::Start(watchful, clock, *resource, {}, writer);
  if (!reflector.ok()) return Fail(reflector.status());
  for (std::string line; std::getline(std::cin, line);) {
    const ReflectorHealth health = (*reflector)->Health();
    const double age = absl::ToDoubleSeconds(clock.Now() - health.current);
    WriteLine({{"health",
                {{"synced", health.synced},
                 {"watching", watchful.is_watching()},
                 {"age", health.synced ? age : -1},
                 {"problem", health.problem},
                 {"lists", health.lists_total},
                 {"watches", health.watches_total},
                 {"events", health.events_total},
                 {"failures", health.failures_total}}}});
  }
  watchful.Cancel();
  reflector->reset();
  return 0;
}

}  // namespace
}  // namespace fairlead::kube

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  if (argc != 3) {
    std::cerr << "usage: kube_follower KUBECONFIG PLURAL\n";
    return 2;
  }
  return fairlead::kube::Follow(argv[1], argv[2]);
}
