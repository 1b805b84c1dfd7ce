// Cloud: whether this host is an instance of a public cloud, whose network routes packets by its
// own tables: a frame reaches nobody by its MAC address there, and so direct routing cannot work.
// That holds for their bare-metal instances, too.
#pragma once

#include <optional>
#include <string>

#include "pkg/doctor/host_tree.h"

namespace fairlead::doctor {

struct Cloud {
  std::string name;      // "Amazon EC2"
  std::string evidence;  // "sys_vendor is Amazon EC2"

  // One sentence: what the network does, and how that is known.
  std::string WhyNotDirect() const;
};

// By what the firmware says of the machine (SMBIOS, as in /sys/class/dmi/id) and by the
// hypervisor's uuid. Nothing: no cloud that is known here, which does not mean that there is none.
std::optional<Cloud> DetectCloud(const HostTree& tree);

}  // namespace fairlead::doctor
