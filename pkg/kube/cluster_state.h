// ClusterState: the objects of an API server that a node's configuration is made of, each decoded
// once, and the state in force that they make together. Used on one thread.
//
//   Replace, Upsert, Delete --> tables --Merge--> ManifestStore --> DesiredState
//                                 |  ^
//                            Encode  Restore (a file that outlives the process)
//
// An edit costs the decoding of one object and one merge of all.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "pkg/kube/endpoint_slices.h"
#include "pkg/kube/reflector.h"
#include "pkg/kube/resource.h"
#include "pkg/model/desired_state.h"
#include "pkg/net/endpoint.h"
#include "pkg/source/manifest_store.h"

namespace fairlead::kube {

struct ClusterStateOptions {
  std::set<model::Mode> modes;         // of the VIPs that this daemon runs
  std::optional<net::Endpoint> admin;  // see model::ValidateTogether
};

class ClusterState {
 public:
  explicit ClusterState(ClusterStateOptions options);

  // `resource` is kVips, kRealServers or kEndpointSlices.
  void Replace(const Resource& resource, const std::vector<KubeObjectPtr>& objects);
  void Upsert(const Resource& resource, const KubeObjectPtr& object);
  void Delete(const Resource& resource, const std::string& name_space, const std::string& name);

  // Whether anything that Merge looks at has changed since the last one.
  bool dirty() const { return dirty_; }
  std::shared_ptr<const model::DesiredState> Merge();

  // Whether a VIP names a Service, so that the slices are needed.
  bool needs_endpoint_slices() const { return !service_users_.empty(); }
  // The VIPs as they were sent last, by namespace and name.
  std::vector<KubeObjectPtr> Vips() const;

  // What Restore needs to begin where this one is: the text of each object in force, and `origin`.
  // Of an object whose present version is rejected by itself, the last good one.
  std::string Encode(absl::string_view origin) const;
  // Fills the tables, which are empty yet. Errors say why the text cannot be used: it is no such
  // text, of another version, or of another origin.
  absl::Status Restore(absl::string_view text, absl::string_view origin);

 private:
  using Key = std::pair<std::string, std::string>;  // namespace, name
  struct Entry {
    KubeObjectPtr object;
    std::string input;  // see InputOf
    std::shared_ptr<const source::DecodeResult> decoded;
    // The last ones that were not rejected by themselves; "" and null when there was none.
    std::string good_input;
    std::shared_ptr<const source::DecodeResult> good;
  };
  using Table = std::map<Key, Entry>;
  // By age, then by name: which of two that cannot both be is the earlier one.
  using Age = std::tuple<std::string, std::string>;  // time of creation, file name

  Table& TableOf(const Resource& resource);
  void Put(const Resource& resource, const KubeObjectPtr& object);
  Table::iterator Remove(const Resource& resource, Table::iterator entry);
  static Age AgeOf(const Resource& resource, const KubeObject& object);
  // Adds `change` to the count of each Service that the VIP, as it is or was last good, names.
  void CountServices(const Entry& entry, int change);
  void PutSlice(const KubeObjectPtr& object);
  void RemoveSlice(const Key& key);
  std::vector<model::ServiceEndpoints> Services();

  const ClusterStateOptions options_;
  source::ManifestStore store_;
  Table vips_;
  Table real_servers_;
  std::map<Age, std::shared_ptr<const source::DecodeResult>> files_;
  std::map<ServiceKey, int> service_users_;  // how many VIPs of this daemon name it

  std::map<Key, KubeObjectPtr> slices_;
  std::map<ServiceKey, std::set<Key>> slices_of_;
  std::map<ServiceKey, model::ServiceEndpoints> joined_;  // those that are up to date
  bool dirty_ = false;
};

}  // namespace fairlead::kube
