#include "pkg/uring/ring.h"

#include "absl/strings/str_cat.h"
#include "pkg/uring/epoll_ring.h"
#include "pkg/uring/io_uring_ring.h"

namespace fairlead::uring {

const char* EngineName(Engine engine) {
  switch (engine) {
    case Engine::kAuto:
      return "auto";
    case Engine::kIoUring:
      return "io_uring";
    case Engine::kEpoll:
      return "epoll";
  }
  return "unknown";
}

absl::StatusOr<Engine> ParseEngine(absl::string_view name) {
  for (const Engine engine : {Engine::kAuto, Engine::kIoUring, Engine::kEpoll}) {
    if (name == EngineName(engine)) return engine;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("I/O engine \"", name, "\" is not one of auto, io_uring, epoll"));
}

absl::StatusOr<std::unique_ptr<Ring>> Ring::Create(const RingOptions& options,
                                                   std::string* fallback_reason) {
  if (options.engine == Engine::kEpoll) return EpollRing::Create(options);
  absl::StatusOr<std::unique_ptr<Ring>> ring = IoUringRing::Create(options);
  if (ring.ok() || options.engine == Engine::kIoUring) return ring;
  if (fallback_reason != nullptr) *fallback_reason = std::string(ring.status().message());
  return EpollRing::Create(options);
}

}  // namespace fairlead::uring
