// Kubeconfig files: their entries, merged by name, and the access that a context means.
// Pure but for KubeconfigAccess (cluster_access.h), which reads the files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pkg/kube/cluster_access.h"
#include "pkg/source/yaml_tree.h"

namespace fairlead::kube {

// A cluster, user or context, and the file that it stands in.
struct KubeconfigEntry {
  source::YamlNode body;
  std::string file;
};

// Several files as one: of equal names the first one wins, and so does the first current-context
// (kubectl config; client-go tools/clientcmd).
class Kubeconfig {
 public:
  // `file` is for messages and for relative paths in it. Errors: InvalidArgument with file and
  // line.
  absl::Status Merge(const std::string& file, absl::string_view text);
  // `context` "" = current-context. Errors: NotFound, InvalidArgument and Unimplemented with file
  // and field.
  absl::StatusOr<ClusterAccess> Access(const std::string& context) const;

 private:
  using Entries = std::map<std::string, KubeconfigEntry>;
  absl::Status MergeList(const std::string& file, const source::YamlNode& root,
                         absl::string_view list, absl::string_view body, Entries* entries);

  std::vector<std::string> files_;
  std::string current_context_;
  Entries clusters_;
  Entries users_;
  Entries contexts_;
};

}  // namespace fairlead::kube
