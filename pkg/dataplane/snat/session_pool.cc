#include "pkg/dataplane/snat/session_pool.h"

#include <new>

namespace fairlead::dataplane::snat {

SessionPool::~SessionPool() {
  for (Session* slab : slabs_) {
    for (size_t i = 0; i < kSlabSessions; ++i) slab[i].~Session();
    ::operator delete (slab, std::align_val_t{alignof(Session)});
  }
}

Session* SessionPool::Get() {
  if (in_use_ >= sessions_max_) return nullptr;
  if (free_ == nullptr) {
    void* memory =
        ::operator new (kSlabSessions * sizeof(Session), std::align_val_t{alignof(Session)});
    auto* slab = static_cast<Session*>(memory);
    for (size_t i = kSlabSessions; i-- > 0;) {
      new (&slab[i]) Session(shard_);
      slab[i].next_free_ = free_;
      free_ = &slab[i];
    }
    slabs_.push_back(slab);
  }
  Session* session = free_;
  free_ = session->next_free_;
  ++in_use_;
  return session;
}

void SessionPool::Put(Session* session) {
  session->next_free_ = free_;
  free_ = session;
  --in_use_;
}

}  // namespace fairlead::dataplane::snat
