// HostTree: reads /proc and /sys below a root folder, so that a test can give a tree of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::doctor {

class HostTree {
 public:
  // `root` is "" for this host.
  explicit HostTree(std::string root) : root_(std::move(root)) {}

  // Paths are absolute: "/proc/sys/kernel/osrelease". At most 1 MiB is read (/proc/net/tcp has
  // the listening sockets first); "" when it cannot be.
  std::string Read(absl::string_view path) const;
  // The first word of the file as a whole number; nothing when it is none.
  std::optional<int64_t> ReadNumber(absl::string_view path) const;
  bool Exists(absl::string_view path) const;
  // Names in the folder, sorted; none when it cannot be read.
  std::vector<std::string> List(absl::string_view path) const;
  // Where the symbolic link points to; "" when it is none or may not be read.
  std::string LinkTarget(absl::string_view path) const;

  // The larger one of conf/all and conf/INTERFACE: the one in force for rp_filter, arp_ignore and
  // arp_announce (Documentation/networking/ip-sysctl.rst).
  int64_t InForce(absl::string_view interface, absl::string_view key) const;
  // Interfaces but lo.
  std::vector<std::string> Interfaces() const;

 private:
  const std::string root_;
};

}  // namespace fairlead::doctor
