// ProgramTest: the loaded BPF program in a test: maps set up by hand, frames run through it by
// BPF_PROG_TEST_RUN (the kernel's own execution of the verified program), outcome and counters.
#pragma once

#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pkg/dataplane/dr/kernel_map_store.h"
#include "pkg/dataplane/dr/program_object.h"
#include "tests/packet/frames.h"
#include "tests/packet/own_bpffs.h"

namespace fairlead::dataplane::dr {

struct Outcome {
  uint32_t verdict = XDP_ABORTED;
  Bytes frame;
};

// The service indexes that SetUp makes, with the VIP's addresses and ports.
inline constexpr char kVip4[] = "10.10.10.150";
inline constexpr char kVip6[] = "fd00:10::150";
inline constexpr char kClient4[] = "10.10.10.20";
inline constexpr char kClient6[] = "fd00:10::20";
inline constexpr uint32_t kTcp4 = 1;  // kVip4, TCP, ports 80, 443, 5014-5019
inline constexpr uint32_t kUdp4 = 2;  // kVip4, UDP, port 53
inline constexpr uint32_t kTcp6 = 3;  // kVip6, TCP, port 80
inline constexpr uint32_t kUdp6 = 4;  // kVip6, UDP, port 53
// The place of the interface that frames come in by (the loopback: BPF_PROG_TEST_RUN's default).
inline constexpr uint16_t kArrival = 1;

// Every slot of each ring is server 1 at first; servers 1 to 9 are usable, behind kArrival.
class ProgramTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;

  MapStore& store() { return *store_; }
  bpf::DrTables& tables() { return store_->tables(); }
  bpf::DrService& service(uint32_t index) { return tables().services[index]; }
  bpf::DrServer& server(uint32_t index) { return tables().servers[index]; }

  // A VIP address with a protocol; `ports` lead to `service`.
  void AddVip(const std::string& address, uint32_t protocol, uint32_t port_table,
              const std::vector<uint16_t>& ports, uint32_t service);
  // The slot that the flow has in a ring of the service; every ring has kDrRingSlotsMin slots.
  uint32_t SlotOf(uint32_t service, const Flow& flow);
  uint64_t HashOf(uint32_t service, const Flow& flow);
  // `slot_of` gives each slot's value by its index.
  void SetRing(RingKind kind, uint32_t service, const std::function<uint16_t(uint32_t)>& slot_of);
  void FillRing(RingKind kind, uint32_t service, uint16_t slot);
  // The ring moved every slot from server `before` to `after`, within the window.
  void MakeDirty(uint32_t service, uint16_t before, uint16_t after);

  // By XDP's entry of the program.
  Outcome Run(const Bytes& frame);
  // By tc's; the verdict is one of linux/pkt_cls.h.
  Outcome RunTc(const Bytes& frame);
  // Whether `Run` takes frames of more than a page, in several buffers (Linux 5.18).
  static bool TakesManyBuffers() { return loaded_->many_buffers; }
  // tc's entry, and a bpffs of the test's own.
  int tc_program() const { return loaded_tc_->program.get(); }
  const std::string& directory() const { return bpffs_->path(); }
  // 0 = not forwarded to a real server, or some byte of the frame is wrong (a test failure).
  int ServerOf(const Bytes& frame);
  // Not forwarded, no byte changed, counted once under `reason`. By the macros below.
  void ExpectVerdict(const Bytes& frame, uint32_t verdict, uint32_t reason, int line);
  // How often `reason` was counted since SetUp.
  uint64_t Count(uint32_t reason);
  bpf::DrServerCounts ServerCounts(uint32_t index);
  // The entries of the flow table in use.
  std::vector<uint64_t> Flows();

 private:
  static Outcome RunProgram(int program, const Bytes& frame);

  static LoadedProgram* loaded_;
  static LoadedProgram* loaded_tc_;  // with the same maps
  static KernelMapStore* store_;
  static OwnBpffs* bpffs_;  // for the rings
  static std::string refusal_;
  ReasonCounts reasons_before_{};
  std::vector<bpf::DrServerCounts> servers_before_;
};

// Passed up unchanged, for this reason.
#define EXPECT_PASSED(frame, reason) ExpectVerdict(frame, XDP_PASS, reason, __LINE__)
#define EXPECT_DROPPED(frame, reason) ExpectVerdict(frame, XDP_DROP, reason, __LINE__)

}  // namespace fairlead::dataplane::dr
