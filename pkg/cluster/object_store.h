// ObjectStore: the objects of one resource, as a reflector hears of them. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "pkg/base/mutex.h"
#include "pkg/kube/reflector.h"

namespace fairlead::cluster {

class ObjectStore final : public kube::ReflectorSink {
 public:
  // `on_change` is called on the reflector's thread after each change.
  explicit ObjectStore(std::function<void()> on_change) : on_change_(std::move(on_change)) {}

  void OnReplace(std::vector<kube::KubeObjectPtr> objects) override {
    std::map<Key, kube::KubeObjectPtr> replaced;
    for (kube::KubeObjectPtr& object : objects) {
      Key key(object->name_space, object->name);
      replaced[std::move(key)] = std::move(object);
    }
    {
      base::MutexLock lock(&mutex_);
      objects_ = std::move(replaced);
      synced_ = true;
    }
    on_change_();
  }

  void OnUpsert(kube::KubeObjectPtr object) override {
    {
      base::MutexLock lock(&mutex_);
      Key key(object->name_space, object->name);
      objects_[std::move(key)] = std::move(object);
    }
    on_change_();
  }

  void OnDelete(const std::string& name_space, const std::string& name) override {
    {
      base::MutexLock lock(&mutex_);
      objects_.erase(Key(name_space, name));
    }
    on_change_();
  }

  // Whether the objects were listed once.
  bool synced() const {
    base::MutexLock lock(&mutex_);
    return synced_;
  }

  // By namespace and name.
  std::vector<kube::KubeObjectPtr> All() const {
    base::MutexLock lock(&mutex_);
    std::vector<kube::KubeObjectPtr> all;
    all.reserve(objects_.size());
    for (const auto& [key, object] : objects_) all.push_back(object);
    return all;
  }

 private:
  using Key = std::pair<std::string, std::string>;

  const std::function<void()> on_change_;
  mutable base::Mutex mutex_;
  std::map<Key, kube::KubeObjectPtr> objects_ ABSL_GUARDED_BY(mutex_);
  bool synced_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fairlead::cluster
