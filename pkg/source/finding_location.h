// Joins what the decoder found with what the validator found about one object. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "pkg/model/object.h"
#include "pkg/source/yaml_tree.h"

namespace fairlead::source {

// The value at `path` ("spec.realServers.list[2].address", "metadata.labels.lb.fairlead.dev/vip")
// below `root`, or the innermost one on the way to it that exists.
const YamlNode& NodeAt(const YamlNode& root, absl::string_view path);

// `decoded` first, then those of `validated` that are no consequence of one of them (the same
// field, one around it or one in it), each at the line of its field; not
// many more than kFindingsPerObjectMax together.
std::vector<model::Finding> MergeFindings(std::vector<model::Finding> decoded,
                                          std::vector<model::Finding> validated,
                                          const std::string& object, const YamlNode& root);

}  // namespace fairlead::source
