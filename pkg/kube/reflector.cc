#include "pkg/kube/reflector.h"

#include <memory>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/mutex.h"
#include "pkg/kube/list_watch.h"

namespace fairlead::kube {
namespace {

// The thread around a ListWatch.
class ThreadReflector final : public Reflector {
 public:
  ThreadReflector(ApiClient& client, const base::Clock& clock, const Resource& resource,
                  ReflectorOptions options, ReflectorSink& sink)
      : client_(client),
        list_watch_(
            resource, std::move(options), client.server(), clock,
            [this] { return std::uniform_real_distribution<double>()(random_); }, sink) {}

  ~ThreadReflector() override {
    stopping_.Notify();
    if (thread_.joinable()) thread_.join();
  }

  void StartThread() {  // throws std::system_error
    thread_ = std::thread([this] { Run(); });
  }

  ReflectorHealth Health() const override { return list_watch_.Health(); }

 private:
  void Run() {
    while (true) {
      ListWatch::Step step = list_watch_.Next();
      if (stopping_.WaitForNotificationWithTimeout(step.wait)) return;
      step.request.on_open = [this] { list_watch_.OnOpen(); };
      const absl::StatusOr<ApiResponse> result =
          step.streams
              ? client_.Stream(step.request,
                               [this](absl::string_view line) {
                                 return !stopping_.HasBeenNotified() && list_watch_.OnLine(line);
                               })
              : client_.Send(step.request);
      // A client that was cancelled answers no more.
      if (stopping_.HasBeenNotified() || absl::IsCancelled(result.status())) return;
      list_watch_.OnEnd(result);
    }
  }

  ApiClient& client_;
  std::mt19937_64 random_{std::random_device{}()};  // the thread's
  ListWatch list_watch_;
  base::Notification stopping_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Reflector>> Reflector::Start(ApiClient& client,
                                                            const base::Clock& clock,
                                                            const Resource& resource,
                                                            ReflectorOptions options,
                                                            ReflectorSink& sink) {
  auto reflector =
      std::make_unique<ThreadReflector>(client, clock, resource, std::move(options), sink);
  try {
    reflector->StartThread();
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no thread to follow ", resource.plural, ": ", error.what()));
  }
  return reflector;
}

}  // namespace fairlead::kube
