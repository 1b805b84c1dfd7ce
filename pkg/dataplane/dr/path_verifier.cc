#include "pkg/dataplane/dr/path_verifier.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::dataplane::dr {
namespace {

// A neighbour answers within a millisecond; what is lost is asked for again before it counts.
constexpr absl::Duration kAnswerTime = absl::Milliseconds(300);
constexpr int kAttempts = 3;
constexpr int kFailuresWanted = 2;
// Until somebody is asked again, when nobody answered; and when a mode failed that is kept.
constexpr absl::Duration kRestTime = absl::Seconds(10);
constexpr absl::Duration kFailedRestTime = absl::Seconds(60);

uint32_t ProofOf(AttachMode mode) { return static_cast<uint32_t>(mode) + 1; }

uint32_t StageOf(const bpf::DrProbe& probe) {
  return __atomic_load_n(&probe.stage, __ATOMIC_ACQUIRE);
}

}  // namespace

void PathVerifier::Watch(uint32_t ifindex, AttachMode mode, std::vector<ProbeTarget> targets) {
  const auto known = paths_.find(ifindex);
  if (known != paths_.end() && known->second.mode == mode) {
    Path& path = known->second;
    const bool first = path.targets.empty() && !targets.empty();
    if (first && path.state == State::kWaiting) path.due = absl::ZeroDuration();
    path.targets = std::move(targets);
    return;
  }
  Path path;
  path.mode = mode;
  path.targets = std::move(targets);
  bpf::DrProbe& probe = ProbeOf(ifindex);
  if (probe.proved_ifindex == ifindex && probe.proved_mode == ProofOf(mode)) {
    path.state = State::kVerified;
    path.text = "verified by the former process";
  } else {
    StoreWords(bpf::DrProbe{}, &probe);
  }
  paths_.insert_or_assign(ifindex, std::move(path));
}

void PathVerifier::Forget(uint32_t ifindex) {
  if (paths_.erase(ifindex) != 0) StoreWords(bpf::DrProbe{}, &ProbeOf(ifindex));
}

std::vector<PathVerifier::Failure> PathVerifier::Turn(absl::Duration now) {
  std::vector<Failure> failures;
  for (auto& [ifindex, path] : paths_) {
    bpf::DrProbe& probe = ProbeOf(ifindex);
    switch (path.state) {
      case State::kVerified:
        break;
      case State::kWaiting:
        if (now >= path.due && !path.targets.empty()) Ask(ifindex, path, now);
        break;
      case State::kAsking:
        if (StageOf(probe) == bpf::kDrProbeProved) {
          probe.proved_ifindex = ifindex;
          probe.proved_mode = ProofOf(path.mode);
          path.state = State::kVerified;
          path.text = absl::StrCat("verified: ", path.asked.neighbour.ToString(), " answered");
          path.socket = PacketSocket();
        } else if (now >= path.due) {
          std::string reason = EndAttempt(ifindex, path, now);
          if (!reason.empty()) failures.push_back({ifindex, std::move(reason)});
        }
        break;
    }
  }
  return failures;
}

void PathVerifier::Ask(uint32_t ifindex, Path& path, absl::Duration now) {
  if (path.attempts == 0) {
    path.asked = path.targets[path.target++ % path.targets.size()];
    auto socket = PacketSocket::Open(ifindex, path.asked.neighbour.family());
    if (!socket.ok()) {
      path.text = absl::StrCat("not verified: ", socket.status().message());
      path.due = now + kFailedRestTime;
      return;
    }
    path.socket = *std::move(socket);
  }
  path.socket.HeardAnswer();  // what came before
  bpf::DrProbe probe = MakeProbe(path.asked);
  StoreWords(probe, &ProbeOf(ifindex));
  __atomic_store_n(&ProbeOf(ifindex).stage, bpf::kDrProbeArmed, __ATOMIC_RELEASE);
  ++path.attempts;
  path.state = State::kAsking;
  path.due = now + kAnswerTime;
  if (absl::Status status = path.socket.Send(ProbeRequest(path.asked)); !status.ok()) {
    path.text = absl::StrCat("not verified: ", status.message());
  }
}

std::string PathVerifier::EndAttempt(uint32_t ifindex, Path& path, absl::Duration now) {
  bpf::DrProbe& probe = ProbeOf(ifindex);
  const uint32_t stage = __atomic_exchange_n(&probe.stage, bpf::kDrProbeIdle, __ATOMIC_ACQ_REL);
  if (stage == bpf::kDrProbeAnswered) ++path.lost;
  if (stage == bpf::kDrProbeArmed && path.socket.HeardAnswer()) ++path.passed_by;
  path.state = State::kWaiting;
  path.due = now;
  if (path.attempts < kAttempts) return "";
  const std::string neighbour = path.asked.neighbour.ToString();
  std::string reason;
  if (path.lost >= kFailuresWanted) {
    reason = absl::StrCat("frames that the program sends are lost: ", neighbour, " answered ",
                          path.lost, " requests of this host and none of the program's");
  } else if (path.passed_by >= kFailuresWanted) {
    reason = absl::StrCat("frames come in past the program: ", neighbour, " answered ",
                          path.passed_by, " times, and the program saw nothing of it");
  } else {
    path.text = absl::StrCat("not verified yet: ", neighbour, " does not answer");
  }
  if (!reason.empty()) path.text = absl::StrCat("does not work: ", reason);
  const bool others_left = !path.targets.empty() && path.target % path.targets.size() != 0;
  path.due = now + (!reason.empty() ? kFailedRestTime
                    : others_left   ? absl::ZeroDuration()
                                    : kRestTime);
  path.attempts = path.lost = path.passed_by = 0;
  path.socket = PacketSocket();
  return reason;
}

bool PathVerifier::busy() const {
  return std::any_of(paths_.begin(), paths_.end(), [](const auto& path) {
    return path.second.state == State::kAsking || path.second.attempts > 0;
  });
}

bool PathVerifier::verified(uint32_t ifindex) const {
  const auto path = paths_.find(ifindex);
  return path != paths_.end() && path->second.state == State::kVerified;
}

std::string PathVerifier::StateOf(uint32_t ifindex) const {
  const auto path = paths_.find(ifindex);
  if (path == paths_.end()) return "not verified yet";
  if (!path->second.text.empty()) return path->second.text;
  return path->second.targets.empty() ? "not verified yet: no neighbour is known on it"
                                      : "not verified yet: a neighbour is being asked";
}

}  // namespace fairlead::dataplane::dr
