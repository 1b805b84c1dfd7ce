// SessionPool: the session slots of one shard, in slabs that appear with use and stay. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "pkg/dataplane/snat/session.h"

namespace fairlead::dataplane::snat {

class SessionPool {
 public:
  SessionPool(Shard& shard, uint32_t sessions_max) : shard_(shard), sessions_max_(sessions_max) {}
  ~SessionPool();
  SessionPool(const SessionPool&) = delete;
  SessionPool& operator=(const SessionPool&) = delete;

  // Null when sessions_max are in use.
  Session* Get();
  void Put(Session* session);

  uint32_t in_use() const { return in_use_; }

  // Calls `visit(session)` for every slot in use; `visit` may end sessions.
  template <typename F>
  void ForEach(F visit) {
    for (Session* slab : slabs_) {
      for (size_t i = 0; i < kSlabSessions; ++i) {
        if (slab[i].state() != Session::State::kFree) visit(slab[i]);
      }
    }
  }

 private:
  static constexpr size_t kSlabSessions = 256;  // 64 KiB a slab

  Shard& shard_;
  const uint32_t sessions_max_;
  uint32_t in_use_ = 0;
  Session* free_ = nullptr;
  std::vector<Session*> slabs_;
};

}  // namespace fairlead::dataplane::snat
