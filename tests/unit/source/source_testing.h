// Manifests and temporary directories for the tests of pkg/source.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/model/desired_state.h"
#include "pkg/source/manifest_decoder.h"

namespace fairlead::source {

inline std::string Header(absl::string_view kind, absl::string_view name) {
  return absl::StrCat("apiVersion: lb.fairlead.dev/v1alpha1\nkind: ", kind,
                      "\nmetadata: {name: ", name, "}\n");
}

// `spec` is indented by two blanks already.
inline std::string VipText(absl::string_view name, absl::string_view spec) {
  return absl::StrCat(Header("VIP", name), "spec:\n", spec);
}

// A VIP with one server, without any finding.
inline std::string GoodVipText(absl::string_view name, absl::string_view address,
                               absl::string_view ports = "80") {
  return VipText(name, absl::StrCat("  addresses: [", address, "]\n  ports: \"", ports,
                                    "\"\n  realServers: {list: [{address: 10.9.9.9}]}\n"));
}

inline std::string ServerText(absl::string_view name, absl::string_view address,
                              absl::string_view vip) {
  return absl::StrCat(
      "apiVersion: lb.fairlead.dev/v1alpha1\nkind: RealServer\nmetadata: {name: ", name,
      ", labels: {lb.fairlead.dev/vip: ", vip, "}}\nspec: {address: ", address, "}\n");
}

inline std::vector<std::string> LinesOf(const std::vector<model::Finding>& findings) {
  std::vector<std::string> lines;
  for (const model::Finding& finding : findings) lines.push_back(finding.ToString());
  return lines;
}

template <typename T>
std::vector<std::string> NamesOf(const std::vector<T>& objects) {
  std::vector<std::string> names;
  for (const T& object : objects) names.push_back(object.id.name);
  return names;
}

// A directory that goes with its object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "fairlead-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const { return absl::StrCat(path_, "/", name); }
  void Write(absl::string_view name, absl::string_view text) const {
    std::ofstream file(File(name), std::ios::binary | std::ios::trunc);
    file << text;
  }
  void Remove(absl::string_view name) const { std::filesystem::remove_all(File(name)); }

 private:
  std::string path_;
};

}  // namespace fairlead::source
