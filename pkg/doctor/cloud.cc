#include "pkg/doctor/cloud.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::doctor {
namespace {

struct Mark {
  const char* file;    // below /sys/class/dmi/id
  const char* prefix;  // of its text
  const char* cloud;
};

// The marks by which cloud-init's ds-identify and the clouds' own documents tell their instances.
// sys_vendor "Google" alone is a Chromebook, "Microsoft Corporation" alone any Hyper-V.
constexpr Mark kMarks[] = {
    {"sys_vendor", "Amazon EC2", "Amazon EC2"},
    {"bios_vendor", "Amazon EC2", "Amazon EC2"},
    {"product_name", "Google Compute Engine", "Google Compute Engine"},
    {"chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "Microsoft Azure"},
    {"product_name", "Alibaba Cloud", "Alibaba Cloud"},
    {"sys_vendor", "Alibaba Cloud", "Alibaba Cloud"},
    {"sys_vendor", "DigitalOcean", "DigitalOcean"},
    {"sys_vendor", "Hetzner", "Hetzner Cloud"},
    {"chassis_asset_tag", "OracleCloud.com", "Oracle Cloud"},
    {"sys_vendor", "Tencent Cloud", "Tencent Cloud"},
    {"chassis_asset_tag", "HUAWEICLOUD", "Huawei Cloud"},
    {"sys_vendor", "Huawei Cloud", "Huawei Cloud"},
    {"chassis_asset_tag", "OpenTelekomCloud", "Open Telekom Cloud"},
    {"sys_vendor", "Akamai", "Akamai Cloud"},
    {"sys_vendor", "Linode", "Akamai Cloud"},
    {"sys_vendor", "Vultr", "Vultr"},
    {"sys_vendor", "Scaleway", "Scaleway"},
    {"sys_vendor", "UpCloud", "UpCloud"},
    {"product_name", "Exoscale", "Exoscale"},
};

// One line of text; the firmware may write anything.
std::string Line(const HostTree& tree, absl::string_view path) {
  const std::string text = tree.Read(path);
  return std::string(absl::StripAsciiWhitespace(text.substr(0, text.find('\n'))));
}

}  // namespace

std::string Cloud::WhyNotDirect() const {
  return absl::StrCat("this host is an instance of ", name, " (", evidence,
                      "), whose network routes packets by its own tables, so that direct routing, "
                      "which changes MAC addresses alone, reaches nobody");
}

std::optional<Cloud> DetectCloud(const HostTree& tree) {
  for (const Mark& mark : kMarks) {
    const std::string text = Line(tree, absl::StrCat("/sys/class/dmi/id/", mark.file));
    if (absl::StartsWith(text, mark.prefix)) {
      return Cloud{mark.cloud, absl::StrCat(mark.file, " is ", mark.prefix)};
    }
  }
  // Xen instances of EC2: the uuid of the domain begins so (Amazon EC2 User Guide, "Detect whether
  // a host is an EC2 instance").
  const std::string uuid = Line(tree, "/sys/hypervisor/uuid");
  if (absl::StartsWithIgnoreCase(uuid, "ec2")) {
    return Cloud{"Amazon EC2", "the hypervisor's uuid begins with ec2"};
  }
  return std::nullopt;
}

}  // namespace fairlead::doctor
