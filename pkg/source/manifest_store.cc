#include "pkg/source/manifest_store.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "pkg/source/same_intent.h"

namespace fairlead::source {
namespace {

using model::DesiredState;
using model::Finding;
using model::ObjectId;
using model::Severity;
using model::SourceLocation;

using IdSet = absl::flat_hash_set<ObjectId>;
template <typename T>
using ById = absl::flat_hash_map<ObjectId, const T*>;

template <typename T>
ById<T> IndexById(const std::vector<T>& objects) {
  ById<T> index;
  index.reserve(objects.size());
  for (const T& object : objects) index.emplace(object.id, &object);
  return index;
}

// Sorts pointers and moves each object once: they are large.
template <typename T>
void SortById(std::vector<T>& objects) {
  std::vector<T*> order;
  order.reserve(objects.size());
  for (T& object : objects) order.push_back(&object);
  std::sort(order.begin(), order.end(),
            [](const T* left, const T* right) { return left->id < right->id; });
  std::vector<T> sorted;
  sorted.reserve(objects.size());
  for (T* object : order) sorted.push_back(std::move(*object));
  objects = std::move(sorted);
}

bool IsEarlier(const SourceLocation& left, const SourceLocation& right) {
  return std::tie(left.file, left.line, left.column) <
         std::tie(right.file, right.line, right.column);
}

// One merge of a reading into the state in force.
class Merger {
 public:
  Merger(const Reading& reading, const DesiredState& in_force,
         const std::optional<net::Endpoint>& admin_flag)
      : reading_(reading), in_force_(in_force), admin_flag_(admin_flag) {
    files_.reserve(reading.files.size());
    for (const auto& file : reading.files) {
      files_.try_emplace(file->file, File{file->complete, files_.size()});
    }
  }

  DesiredState Run() {
    CollectPlaces();
    findings_ = reading_.findings;
    for (const auto& file : reading_.files) {
      findings_.insert(findings_.end(), file->findings.begin(), file->findings.end());
    }
    candidates_.vips = Candidates(&DecodeResult::vips, in_force_.vips);
    candidates_.real_servers = Candidates(&DecodeResult::real_servers, in_force_.real_servers);
    candidates_.address_pools = Candidates(&DecodeResult::address_pools, in_force_.address_pools);
    candidates_.services = reading_.services;
    ChooseNode();
    Settle();
    return Finish();
  }

 private:
  // Where each object is declared: the first place, or the one that it is in force from, so that a
  // copy in a new file does not take it over. The other places are errors.
  void CollectPlaces() {
    places_.reserve(in_force_.vips.size() + in_force_.real_servers.size());
    const auto add = [&](const ObjectId& id, const SourceLocation& location,
                         bool is_rejected = false) {
      const auto [known, is_new] = places_.emplace(id, Place{&location, is_rejected});
      if (is_new) return;
      const bool takes_over =
          known->second.location->file != location.file && FileInForce(id) == location.file;
      duplicates_.push_back({id, takes_over ? *known->second.location : location});
      if (takes_over) known->second = {&location, is_rejected};
    };
    for (const auto& file : reading_.files) {
      for (const auto& vip : file->vips) add(vip.id, vip.location);
      for (const auto& server : file->real_servers) add(server.id, server.location);
      for (const auto& pool : file->address_pools) add(pool.id, pool.location);
      for (const auto& node : file->nodes) add(node.id, node.location);
      for (const RejectedObject& rejected : file->rejected) {
        add(rejected.id, rejected.location, /*is_rejected=*/true);
      }
    }
  }

  // The file that an object is in force from; "" when it is not. Only duplicates are asked for.
  absl::string_view FileInForce(const ObjectId& id) {
    if (file_in_force_.empty()) {
      for (const auto& vip : in_force_.vips) file_in_force_.emplace(vip.id, vip.location.file);
      for (const auto& server : in_force_.real_servers) {
        file_in_force_.emplace(server.id, server.location.file);
      }
      for (const auto& pool : in_force_.address_pools) {
        file_in_force_.emplace(pool.id, pool.location.file);
      }
    }
    const auto found = file_in_force_.find(id);
    return found == file_in_force_.end() ? "" : found->second;
  }

  bool IsThePlace(const ObjectId& id, const SourceLocation& location) const {
    const auto place = places_.find(id);
    return place != places_.end() && *place->second.location == location;
  }

  // Whether an object that is in force and not in the reading has been deleted.
  bool IsDeleted(const SourceLocation& location) const {
    if (!reading_.complete) return false;
    const auto file = files_.find(location.file);
    return file == files_.end() || file->second.complete;
  }

  // The good objects of the reading, and the last good versions of those that are bad or may have
  // been lost, in the order of their places.
  template <typename T>
  std::vector<T> Candidates(std::vector<T> DecodeResult::*member, const std::vector<T>& in_force) {
    std::vector<T> candidates;
    candidates.reserve(in_force.size());
    const ById<T> last = IndexById(in_force);
    for (const auto& file : reading_.files) {
      for (const T& object : (*file).*member) {
        if (!IsThePlace(object.id, object.location)) continue;
        const auto before = last.find(object.id);
        if (before != last.end() && SameIntent(*before->second, object)) {
          unchanged_.push_back(object.id);
        }
        candidates.push_back(object);
      }
    }
    const size_t fresh_count = candidates.size();
    for (const T& object : in_force) {
      const auto place = places_.find(object.id);
      const bool is_declared = place != places_.end();
      if (is_declared && !place->second.is_rejected) continue;  // collected above
      if (!is_declared && IsDeleted(object.location)) continue;
      candidates.push_back(object);
      unchanged_.push_back(object.id);
      stale_.insert(object.id);
    }
    // They are in order already, unless an object is in force that its file lacks.
    if (candidates.size() == fresh_count) return candidates;
    std::stable_sort(candidates.begin(), candidates.end(), [this](const T& left, const T& right) {
      return PrecedenceOf(left.location) < PrecedenceOf(right.location);
    });
    return candidates;
  }

  // Files that are not in the reading come last, by name.
  std::tuple<size_t, absl::string_view, int, int> PrecedenceOf(
      const SourceLocation& location) const {
    const auto file = files_.find(location.file);
    const size_t rank = file == files_.end() ? files_.size() : file->second.rank;
    return {rank, location.file, location.line, location.column};
  }

  // At most one Node is used: node-local settings have no second.
  void ChooseNode() {
    const std::optional<model::Node>& last = in_force_.node;
    for (const auto& file : reading_.files) {
      for (const model::Node& node : file->nodes) {
        if (!IsThePlace(node.id, node.location)) continue;
        if (!candidates_.node.has_value()) {
          candidates_.node = node;
          continue;
        }
        AddError(node.id, node.location, "",
                 absl::StrCat("there is ", candidates_.node->id.ToString(), " at ",
                              candidates_.node->location.ToString(),
                              " already; a configuration has one Node: delete one of them"));
      }
    }
    if (candidates_.node.has_value() || !last.has_value()) return;
    if (!places_.contains(last->id) && IsDeleted(last->location)) return;
    candidates_.node = last;
    stale_.insert(last->id);
  }

  // Applies the rules over all objects. One that loses against others falls back to its last good
  // version, which may turn the balance for the next one: again, until nothing falls back. Each
  // round retires at least one candidate for good, so that it ends.
  void Settle() {
    const ById<model::Vip> last_vips = IndexById(in_force_.vips);
    const ById<model::RealServer> last_servers = IndexById(in_force_.real_servers);
    while (true) {
      state_ = candidates_;
      model::ValidateTogether(state_, admin_flag_, unchanged_);
      const size_t vips_back = FallBack(candidates_.vips, state_.vips, last_vips);
      const size_t servers_back =
          FallBack(candidates_.real_servers, state_.real_servers, last_servers);
      if (vips_back + servers_back == 0) return;
      for (Finding& finding : state_.findings) {
        if (finding.severity == Severity::kError) findings_.push_back(std::move(finding));
      }
    }
  }

  // Replaces those of `candidates` that are not in `kept` by their last good version, and removes
  // them when there is no other. Returns how many were replaced.
  template <typename T>
  size_t FallBack(std::vector<T>& candidates, const std::vector<T>& kept, const ById<T>& last) {
    if (candidates.size() == kept.size()) return 0;
    const ById<T> kept_index = IndexById(kept);
    std::vector<T> next;
    size_t replaced_count = 0;
    for (T& candidate : candidates) {
      if (kept_index.contains(candidate.id)) {
        next.push_back(std::move(candidate));
        continue;
      }
      const auto before = last.find(candidate.id);
      if (before == last.end() || SameIntent(*before->second, candidate)) {
        stale_.erase(candidate.id);
        continue;
      }
      ++replaced_count;
      next.push_back(*before->second);
      unchanged_.push_back(candidate.id);
      stale_.insert(candidate.id);
    }
    candidates = std::move(next);
    return replaced_count;
  }

  void AddError(const ObjectId& id, const SourceLocation& location, std::string field,
                std::string message) {
    findings_.push_back(
        {Severity::kError, id.ToString(), location, std::move(field), std::move(message)});
  }

  DesiredState Finish() {
    for (const RejectedObject& duplicate : duplicates_) {
      AddError(duplicate.id, duplicate.location, "metadata.name",
               absl::StrCat("declared already at ", places_.at(duplicate.id).location->ToString(),
                            ", which is used; delete one of them or give it another name"));
    }
    DesiredState state = std::move(state_);
    state.findings.insert(state.findings.end(), findings_.begin(), findings_.end());
    std::stable_sort(state.findings.begin(), state.findings.end(),
                     [](const Finding& left, const Finding& right) {
                       return IsEarlier(left.location, right.location);
                     });
    SortById(state.vips);
    SortById(state.real_servers);
    SortById(state.address_pools);
    state.stale.assign(stale_.begin(), stale_.end());
    std::sort(state.stale.begin(), state.stale.end());
    return state;
  }

  const Reading& reading_;
  const DesiredState& in_force_;
  const std::optional<net::Endpoint>& admin_flag_;
  struct File {
    bool complete;
    size_t rank;
  };
  absl::flat_hash_map<absl::string_view, File> files_;  // of the reading
  // Where an object is declared; the location is borrowed from the reading.
  struct Place {
    const SourceLocation* location;
    bool is_rejected;
  };
  absl::flat_hash_map<ObjectId, Place> places_;
  absl::flat_hash_map<ObjectId, absl::string_view> file_in_force_;  // when it was asked for
  std::vector<RejectedObject> duplicates_;
  std::vector<Finding> findings_;
  std::vector<ObjectId> unchanged_;
  IdSet stale_;
  DesiredState candidates_;
  DesiredState state_;
};

}  // namespace

ManifestStore::ManifestStore(const std::optional<net::Endpoint>& admin_flag)
    : admin_flag_(admin_flag), in_force_(std::make_shared<const DesiredState>()) {}

std::shared_ptr<const DesiredState> ManifestStore::Merge(const Reading& reading) {
  in_force_ = std::make_shared<const DesiredState>(Merger(reading, *in_force_, admin_flag_).Run());
  return in_force_;
}

}  // namespace fairlead::source
