// ListWatch: the protocol of a Reflector, without thread and network. It says which request comes
// next, gets what came of it, and calls the sink.
//
//         +-> kStream --fails, is not to be had--> kList --410, version too large: consistent-+
//         |      |                                  |  ^--------------------------------------+
//   start-+      +------- all objects: OnReplace --+
//         |                        v
//         +--410, each 10 h-- kWatch --ends early, fails--> kCheck --still that etcd--> kWatch
//         +--------------- version too large ------------------+
//
// kStream   a watch that begins with every object (sendInitialEvents; Kubernetes 1.32)
// kList     pages of 500; the first one from the server's cache (version "0"), a later one not
//           older than what is known, a consistent one (version "") when that is not to be had
// kWatch    events since the last version, and bookmarks
// kCheck    whether the server has the last version. A watch from a version that it has not
//           reached, because its etcd was restored from a backup, is silent for ever.
//
// After a failure the same request is made again, later (Backoff, Retry-After); but instead of a
// streaming list a plain one.
//
// Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/, client-go tools/cache.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/kube/api_client.h"
#include "pkg/kube/backoff.h"
#include "pkg/kube/object_decoder.h"
#include "pkg/kube/reflector.h"
#include "pkg/kube/resource.h"

namespace fairlead::kube {

inline constexpr int kPageObjects = 500;
inline constexpr absl::Duration kListTimeout = absl::Minutes(2);
// A server sends a bookmark each minute or so; one that is silent for longer may be gone.
inline constexpr absl::Duration kWatchSilence = absl::Seconds(150);
inline constexpr absl::Duration kRelist = absl::Hours(10);

// One thread drives it; Health() is thread-safe.
class ListWatch {
 public:
  // `chance` gives numbers in [0, 1). `server` is for messages. All outlive it.
  ListWatch(const Resource& resource, ReflectorOptions options, std::string server,
            const base::Clock& clock, std::function<double()> chance, ReflectorSink& sink);

  struct Step {
    absl::Duration wait;  // before the request
    bool streams = false;
    ApiRequest request;
  };
  // The request to make now. Then OnOpen and OnLine while a stream runs, and OnEnd.
  Step Next();
  // A 2xx answer to a stream has begun.
  void OnOpen();
  // False: the stream has served its purpose.
  bool OnLine(absl::string_view line);
  void OnEnd(const absl::StatusOr<ApiResponse>& result);

  ReflectorHealth Health() const;

 private:
  enum class Phase { kStream, kList, kWatch, kCheck };
  // What a line told that ends its stream: kExpired, events since the last version are not to be
  // had any more; kRefused, another ERROR event; kBroken, the line is no event.
  enum class Flaw { kNone, kExpired, kRefused, kBroken };

  ApiRequest StreamRequest() const;
  ApiRequest ListRequest() const;
  ApiRequest WatchRequest();
  ApiRequest CheckRequest() const;
  std::string Target(std::vector<std::pair<std::string, std::string>> query) const;

  bool OnStreamEvent(const WatchEvent& event);
  bool OnWatchEvent(const WatchEvent& event);
  void OnStreamEnd(const absl::StatusOr<ApiResponse>& result);
  void OnListEnd(const absl::StatusOr<ApiResponse>& result);
  void OnWatchEnd(const absl::StatusOr<ApiResponse>& result);
  void OnCheckEnd(const absl::StatusOr<ApiResponse>& result);

  // From the first object on, by a streaming list where there is one.
  void StartOver();
  void StartConsistentList();
  void Replace(std::vector<KubeObjectPtr> objects, const std::string& resource_version);
  // `result` is no success: waits, then does the request of the phase again.
  void Fail(const absl::StatusOr<ApiResponse>& result);
  void FailBecause(const std::string& problem, absl::Duration wait_at_least = absl::ZeroDuration());
  void BecomeCurrent();

  const Resource resource_;
  const ReflectorOptions options_;
  const std::string server_;
  const base::Clock& clock_;
  const std::function<double()> chance_;
  ReflectorSink& sink_;

  Phase phase_ = Phase::kStream;
  bool has_streaming_list_ = true;  // until the server shows that it has none
  std::string last_version_;        // "" = there was no complete list yet
  Backoff backoff_;
  absl::Duration wait_;

  std::string list_version_ = "0";
  std::string continue_token_;
  bool pages_ = true;                  // kList: false after a token has expired
  std::vector<KubeObjectPtr> listed_;  // kList: of the pages so far
  std::map<std::pair<std::string, std::string>, KubeObjectPtr> streamed_;  // kStream: so far
  bool is_complete_ = false;  // kStream: the end of the initial events was seen
  Flaw flaw_ = Flaw::kNone;   // of the stream that runs
  std::string flaw_text_;

  absl::Duration watch_seconds_;  // as asked for
  absl::Duration watch_started_;  // monotonic
  int64_t watch_events_count_ = 0;
  absl::Duration relist_at_ = absl::InfiniteDuration();  // monotonic

  mutable base::Mutex mutex_;
  ReflectorHealth health_ ABSL_GUARDED_BY(mutex_);
  bool follows_ ABSL_GUARDED_BY(mutex_) = false;  // a watch is open
};

}  // namespace fairlead::kube
