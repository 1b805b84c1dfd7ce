// The one decoder of manifests, for files and for Kubernetes objects alike: YAML (one document or
// several) and JSON to the objects of pkg/model, with every problem at its file:line:column. Pure.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "pkg/model/address_pool.h"
#include "pkg/model/node.h"
#include "pkg/model/object.h"
#include "pkg/model/vip.h"

namespace fairlead::source {

// A larger file is refused: 10,000 real servers are about 2 MB.
inline constexpr size_t kManifestBytesMax = 10 << 20;

// Where manifests take effect. Some of what objects of a cluster refer to is not there for files:
// there is nobody to give out addresses of a pool, and no endpoints of a Service.
enum class Origin { kFiles, kCluster };

// An object that is in the text but must not be used: its last good version stays in force.
struct RejectedObject {
  model::ObjectId id;
  model::SourceLocation location;
  friend bool operator==(const RejectedObject&, const RejectedObject&) = default;
};

// What one file holds.
struct DecodeResult {
  std::string file;
  // The good ones, in the order of the text, defaults filled in and validated.
  std::vector<model::Vip> vips;
  std::vector<model::RealServer> real_servers;
  std::vector<model::AddressPool> address_pools;
  std::vector<model::Node> nodes;
  std::vector<RejectedObject> rejected;
  std::vector<model::Finding> findings;  // by line
  // False: some of the text (or all of it) could not be understood well enough to say which object
  // it is: a syntax error, an unknown kind, an unreadable or an empty file. Then an object that the
  // file held before and that is missing now has not been deleted.
  bool complete = true;
};

// Document text -> what it holds, with lines counted from the document's start.
using DocumentCache = absl::flat_hash_map<std::string, std::shared_ptr<const DecodeResult>>;

// `file` is the name in findings. One bad object never spoils the others of the text, and a syntax
// error in one document none of the other documents. Accepted: the kinds of kApiVersion, their
// lists as kubectl prints them (List, VIPList, RealServerList, AddressPoolList), the metadata that
// the API server adds, and `status`. An empty or blank text is a finding: a writer was at work;
// whoever means "nothing" deletes the file or leaves a comment in it.
//
// Of `origin` kFiles a VIP with an addressPoolRef or a service is rejected, and an AddressPool has
// a warning.
//
// `cache` (may be null) holds the documents of the last decoding of this file: those whose text is
// unchanged are not parsed again. An edit of one of 11,000 objects then costs a hundredth.
DecodeResult DecodeManifests(absl::string_view text, const std::string& file,
                             DocumentCache* cache = nullptr, Origin origin = Origin::kFiles);

// The result for a file that could not be read at all.
DecodeResult UnreadableFile(const std::string& file, std::string message);

}  // namespace fairlead::source
