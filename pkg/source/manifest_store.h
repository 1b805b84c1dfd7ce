// ManifestStore: turns successive readings of the configuration into successive DesiredStates, so
// that no mistake and no outage of the disk tears down what works.
//
//   reading (files, each decoded) --Merge--> DesiredState in force
//
//   the object in the reading           | what is in force afterwards
//   ------------------------------------+---------------------------------------------------------
//   good                                | the new version
//   rejected (by itself or by others)   | its last good version, listed as stale; else nothing
//   missing, its file is complete       | nothing: it was deleted
//   missing, its file is incomplete     | its last good version, listed as stale
//   missing, its file is gone           | nothing: it was deleted
//   missing, the directory is unreadable| its last good version, listed as stale
//
// Pure: no I/O, no clock. Used on one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pkg/model/desired_state.h"
#include "pkg/source/manifest_decoder.h"

namespace fairlead::source {

struct Reading {
  // In the order of precedence: of two objects that cannot both be, the one of the earlier file
  // stays. Files of a directory by name, objects of a cluster (a file each) by age.
  std::vector<std::shared_ptr<const DecodeResult>> files;
  std::vector<model::ServiceEndpoints> services;  // by namespace and name
  // Of the directory itself, or of the number of files.
  std::vector<model::Finding> findings;
  // False: the directory could not be read; `files` may lack any number of files.
  bool complete = true;
};

class ManifestStore {
 public:
  // `admin_flag`: see model::ValidateTogether.
  explicit ManifestStore(const std::optional<net::Endpoint>& admin_flag);

  // The state in force after `reading`; objects are sorted by id, findings by place.
  std::shared_ptr<const model::DesiredState> Merge(const Reading& reading);

 private:
  const std::optional<net::Endpoint> admin_flag_;
  std::shared_ptr<const model::DesiredState> in_force_;
};

}  // namespace fairlead::source
