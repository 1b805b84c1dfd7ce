// A host's /proc and /sys in a temporary folder: healthy, until a test writes something else.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "pkg/doctor/doctor.h"

namespace fairlead::doctor {

class FabricatedHost {
 public:
  FabricatedHost() {
    std::string pattern = testing::TempDir() + "/doctorXXXXXX";
    root_ = ::mkdtemp(pattern.data());
    Write("/proc/sys/kernel/osrelease", "6.18.1-test\n");
    Write("/proc/sys/kernel/io_uring_disabled", "0\n");
    Write("/proc/self/mounts", "proc /proc proc rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n");
    WriteStatus("000001ffffffffff", 0);
    WriteLimits("1048576", "unlimited");
    Sysctl("ip_unprivileged_port_start", "1024");
    Sysctl("ping_group_range", "1\t0");
    Sysctl("ip_local_port_range", "32768\t60999");
    Sysctl("tcp_congestion_control", "cubic");
    Sysctl("conf/all/rp_filter", "0");
    Sysctl("conf/all/arp_ignore", "0");
    Interface("eth0", "1500");
    Write("/sys/class/net/bonding_masters", "");
    probes.interfaces["eth0"] = {"ixgbe", false};
  }
  ~FabricatedHost() { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void Sysctl(const std::string& name, const std::string& value) {
    Write("/proc/sys/net/ipv4/" + name, value + "\n");
  }
  void Interface(const std::string& name, const std::string& mtu) {
    Write(absl::StrCat("/sys/class/net/", name, "/mtu"), mtu + "\n");
  }
  void WriteStatus(const std::string& capabilities, int seccomp) {
    Write("/proc/self/status",
          absl::StrCat("Name:\tx\nCapEff:\t", capabilities, "\nSeccomp:\t", seccomp, "\n"));
  }
  void WriteLimits(const std::string& files, const std::string& locked) {
    Write("/proc/self/limits",
          absl::StrCat("Limit                     Soft Limit           Hard Limit           Units\n"
                       "Max open files            1024                 ",
                       files, "              files     \n", "Max locked memory         ", locked,
                       "              ", locked, "              bytes     \n"));
  }
  void Link(const std::string& path, const std::string& target) {
    const std::filesystem::path link = root_ + path;
    std::filesystem::create_directories(link.parent_path());
    std::filesystem::create_symlink(target, link);
  }

  HostTree tree() const { return HostTree(root_); }
  Findings Diagnosed() const { return Diagnose(tree(), probes, desired); }
  // The findings about it as "state: seen | fix"; subjects are compared as a whole.
  std::vector<std::string> About(const std::string& subject) const {
    std::vector<std::string> lines;
    for (const Finding& finding : Diagnosed()) {
      if (finding.subject != subject) continue;
      static constexpr const char* kStates[] = {"ok", "warning", "problem"};
      lines.push_back(absl::StrCat(kStates[static_cast<int>(finding.state)], ": ", finding.seen,
                                   finding.fix.empty() ? "" : " | ", finding.fix));
    }
    return lines;
  }

  Probes probes;
  const model::DesiredState* desired = nullptr;

 private:
  std::string root_;
};

}  // namespace fairlead::doctor
