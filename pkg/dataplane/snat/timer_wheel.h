// TimerWheel: deadlines of sessions, in one thread. Insert, move and remove are O(1).
//
// 512 slots of 64 ms: 32.8 s around. A deadline further away waits in the farthest slot and is put
// in again when that slot comes up, so that a 12 h time-out costs one move every half minute.
// Times are milliseconds of a monotonic clock.
#pragma once

#include <array>
#include <cstdint>

namespace fairlead::dataplane::snat {

// Base class of what waits in a wheel.
class TimerNode {
 public:
  bool waiting() const { return previous_link_ != nullptr; }
  uint64_t deadline_ms() const { return deadline_ms_; }

 private:
  friend class TimerWheel;
  TimerNode* next_ = nullptr;
  TimerNode** previous_link_ = nullptr;  // what points at this node
  uint64_t deadline_ms_ = 0;
};

class TimerWheel {
 public:
  static constexpr uint32_t kTickMs = 64;
  static constexpr uint32_t kSlots = 512;

  explicit TimerWheel(uint64_t now_ms) : tick_(now_ms / kTickMs) {}

  // Sets the node's deadline; it is reported by the first Expire at or (up to 64 ms) after it.
  void Set(TimerNode& node, uint64_t deadline_ms) {
    Remove(node);
    node.deadline_ms_ = deadline_ms;
    Link(node);
  }

  static void Remove(TimerNode& node) {
    if (node.previous_link_ == nullptr) return;
    *node.previous_link_ = node.next_;
    if (node.next_ != nullptr) node.next_->previous_link_ = node.previous_link_;
    node.next_ = nullptr;
    node.previous_link_ = nullptr;
  }

  // Takes every node whose deadline has come out of the wheel and calls `expired(node)`, which may
  // set it again.
  template <typename F>
  void Expire(uint64_t now_ms, F expired) {
    // A deadline within the present tick is reported when the tick is over.
    const uint64_t tick_now = now_ms / kTickMs;
    const uint64_t away = tick_now - tick_;
    const uint64_t steps = away > kSlots ? kSlots : away;  // the thread was away for a turn or more
    for (uint64_t i = 0; i < steps; ++i) {
      ++tick_;
      TimerNode* due = slots_[(tick_ - 1) % kSlots];
      slots_[(tick_ - 1) % kSlots] = nullptr;
      if (due != nullptr) due->previous_link_ = &due;
      while (due != nullptr) {
        TimerNode& node = *due;
        Remove(node);
        if (now_ms < node.deadline_ms_) {
          Link(node);
        } else {
          expired(node);
        }
      }
    }
    tick_ = tick_now;
  }

  // Milliseconds until Expire has something to do; -1 when nothing waits.
  int64_t NextDelayMs(uint64_t now_ms) const {
    for (uint32_t i = 0; i < kSlots; ++i) {
      if (slots_[(tick_ + i) % kSlots] == nullptr) continue;
      const uint64_t due_ms = (tick_ + i + 1) * kTickMs;
      return due_ms < now_ms ? 0 : static_cast<int64_t>(due_ms - now_ms);
    }
    return -1;
  }

 private:
  void Link(TimerNode& node) {
    const uint64_t due_tick = node.deadline_ms_ / kTickMs;
    uint64_t ahead = due_tick > tick_ ? due_tick - tick_ : 0;
    if (ahead > kSlots - 1) ahead = kSlots - 1;
    TimerNode*& slot = slots_[(tick_ + ahead) % kSlots];
    node.next_ = slot;
    if (slot != nullptr) slot->previous_link_ = &node.next_;
    node.previous_link_ = &slot;
    slot = &node;
  }

  std::array<TimerNode*, kSlots> slots_{};
  uint64_t tick_;  // every slot before it has been expired
};

}  // namespace fairlead::dataplane::snat
