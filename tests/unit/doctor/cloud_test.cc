#include "pkg/doctor/cloud.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/doctor/fabricated_host.h"

namespace fairlead::doctor {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(DetectCloudTest, KnowsCloudsByTheirFirmware) {
  const struct {
    const char* file;
    const char* text;
    const char* cloud;
  } cases[] = {
      {"/sys/class/dmi/id/sys_vendor", "Amazon EC2\n", "Amazon EC2"},
      {"/sys/class/dmi/id/bios_vendor", "Amazon EC2\n", "Amazon EC2"},
      {"/sys/hypervisor/uuid", "ec2e1916-9099-7caf-fd21-012345abcdef\n", "Amazon EC2"},
      {"/sys/class/dmi/id/product_name", "Google Compute Engine\n", "Google Compute Engine"},
      {"/sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n",
       "Microsoft Azure"},
      {"/sys/class/dmi/id/product_name", "Alibaba Cloud ECS\n", "Alibaba Cloud"},
      {"/sys/class/dmi/id/sys_vendor", "DigitalOcean\n", "DigitalOcean"},
      {"/sys/class/dmi/id/sys_vendor", "Hetzner\n", "Hetzner Cloud"},
      {"/sys/class/dmi/id/chassis_asset_tag", "OracleCloud.com\n", "Oracle Cloud"},
      {"/sys/class/dmi/id/sys_vendor", "Vultr\n", "Vultr"},
  };
  for (const auto& item : cases) {
    FabricatedHost host;
    EXPECT_FALSE(DetectCloud(host.tree()).has_value());
    host.Write(item.file, item.text);
    const auto cloud = DetectCloud(host.tree());
    ASSERT_TRUE(cloud.has_value()) << item.text;
    EXPECT_EQ(cloud->name, item.cloud);
  }
}

// Private machines whose firmware names a maker that has a cloud, too.
TEST(DetectCloudTest, OtherMachinesAreNoCloud) {
  FabricatedHost host;
  for (const char* vendor : {"Google", "Microsoft Corporation", "QEMU", "Dell Inc.",
                             "Oracle Corporation", "Xen", "not Amazon EC2", "", "\n\n\n"}) {
    host.Write("/sys/class/dmi/id/sys_vendor", vendor);
    EXPECT_FALSE(DetectCloud(host.tree()).has_value()) << vendor;
  }
  host.Write("/sys/class/dmi/id/product_name", "Virtual Machine\n");
  host.Write("/sys/class/dmi/id/chassis_asset_tag", "0000-0014-4676-7014-2042-9440-93\n");
  host.Write("/sys/hypervisor/uuid", "00000000-0000-0000-0000-000000000000\n");
  EXPECT_FALSE(DetectCloud(host.tree()).has_value());
}

TEST(DetectCloudTest, DoctorSaysWhatFollows) {
  FabricatedHost host;
  EXPECT_THAT(host.About("cloud"), ElementsAre("ok: none that is known here"));
  host.Write("/sys/class/dmi/id/sys_vendor", "Hetzner\n");
  EXPECT_THAT(host.About("cloud"),
              ElementsAre(StartsWith("ok: Hetzner Cloud (sys_vendor is Hetzner): ")));
  model::DesiredState desired;
  desired.vips.resize(1);
  desired.vips[0].ports = *net::PortSet::Parse("80");
  host.desired = &desired;
  desired.vips[0].mode = model::Mode::kAuto;
  EXPECT_THAT(host.About("cloud"), ElementsAre(StartsWith("ok: ")));
  desired.vips[0].mode = model::Mode::kDr;
  EXPECT_THAT(
      host.About("cloud"),
      ElementsAre(AllOf(StartsWith("problem: this host is an instance of Hetzner Cloud"),
                        HasSubstr("| write mode: SNAT; "), HasSubstr("--mode-allowed snat,dr"))));
}

}  // namespace
}  // namespace fairlead::doctor
