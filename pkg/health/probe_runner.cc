#include "pkg/health/probe_runner.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::health {

ProbeRunner::ProbeRunner(uring::Ring& ring, uint32_t probes_max)
    : ring_(ring), probes_max_(std::max<uint32_t>(1, probes_max)) {}

void ProbeRunner::Start(uint64_t key, std::unique_ptr<Probe> probe, absl::Duration timeout,
                        absl::Duration now) {
  const uint32_t index = TakeSlot();
  Slot& slot = slots_[index];
  slot.key = key;
  slot.probe = std::move(probe);
  slot.timeout = timeout;
  slot.started = now;
  deadlines_.Set(index, now + timeout);
  Follow(index, slot.probe->Start(), now);
}

void ProbeRunner::OnCompletion(const uring::Completion& completion, absl::Duration now) {
  const uint64_t index = completion.user_data - 1;
  if (index >= slots_.size()) return;
  Slot& slot = slots_[index];
  switch (slot.state) {
    case SlotState::kFree:
    case SlotState::kWaiting:
      return;
    case SlotState::kJoining:
      Free(static_cast<uint32_t>(index));
      return;
    case SlotState::kPolling:
      break;
  }
  if (completion.result < 0) {
    Follow(static_cast<uint32_t>(index),
           ProbeOutcome::Inconclusive(absl::StrCat(
               "cannot check: ", base::ErrnoStatus(-completion.result, "poll").message())),
           now);
    return;
  }
  Follow(static_cast<uint32_t>(index), slot.probe->OnReady(), now);
}

void ProbeRunner::OnWoken(const Probe* probe, absl::Duration now) {
  const auto found = waiting_.find(probe);
  if (found == waiting_.end()) return;  // its time was up
  const uint32_t index = found->second;
  waiting_.erase(found);
  Follow(index, slots_[index].probe->OnReady(), now);
}

void ProbeRunner::OnTime(absl::Duration now) {
  while (std::optional<uint64_t> index = deadlines_.TakeDue(now)) {
    Slot& slot = slots_[*index];
    results_.push_back({slot.key, slot.probe->OnTimeout(slot.timeout), now - slot.started});
    End(static_cast<uint32_t>(*index));
  }
}

void ProbeRunner::CancelAll() {
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    const SlotState state = slots_[index].state;
    if (state == SlotState::kPolling || state == SlotState::kWaiting) End(index);
  }
}

uint32_t ProbeRunner::TakeSlot() {
  ++running_;
  if (free_slots_.empty()) {
    slots_.emplace_back();
    return static_cast<uint32_t>(slots_.size() - 1);
  }
  const uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  return index;
}

void ProbeRunner::Follow(uint32_t index, ProbeStep step, absl::Duration now) {
  Slot& slot = slots_[index];
  if (const Await* await = std::get_if<Await>(&step)) {
    slot.state = SlotState::kPolling;
    ring_.Poll(await->fd, await->events, index + 1);
    return;
  }
  if (std::holds_alternative<AwaitWake>(step)) {
    slot.state = SlotState::kWaiting;
    waiting_.emplace(slot.probe.get(), index);
    return;
  }
  results_.push_back({slot.key, std::get<ProbeOutcome>(std::move(step)), now - slot.started});
  Free(index);
}

void ProbeRunner::End(uint32_t index) {
  if (slots_[index].state == SlotState::kWaiting) {
    waiting_.erase(slots_[index].probe.get());
    Free(index);  // nothing of it is outstanding
    return;
  }
  slots_[index].state = SlotState::kJoining;
  deadlines_.Remove(index);
  ring_.Cancel(index + 1);
}

void ProbeRunner::Free(uint32_t index) {
  Slot& slot = slots_[index];
  deadlines_.Remove(index);
  slot.state = SlotState::kFree;
  slot.probe.reset();
  free_slots_.push_back(index);
  --running_;
}

}  // namespace fairlead::health
