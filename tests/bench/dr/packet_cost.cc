#include "tests/bench/dr/packet_cost.h"

#include <bpf/bpf.h>
#include <time.h>

#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pkg/base/errno_status.h"
#include "tests/bench/dr/product.h"
#include "tests/bench/dr/programs.h"
#include "tests/bench/dr/vary.h"

namespace fairlead::bench {
namespace {

using dataplane::dr::Bytes;
using dataplane::dr::kAck;
using dataplane::dr::kSyn;

constexpr uint32_t kLoopback = 1;  // where BPF_PROG_TEST_RUN says that frames come from
constexpr uint32_t kFlows = 64 * 1024;
constexpr uint32_t kEndless = 0;  // no flow comes twice within 2^32 packets

struct Row {
  std::string name;
  Bytes frame;
  uint32_t flows = 0;
  uint32_t first_client = kFirstClient;
  bool is_recorded = false;  // every packet finds its server in the flow table
};

struct Rounds {
  std::vector<double> floor;
  std::vector<double> swap;
  std::vector<double> fairlead;
};

// With unchanged ring slots: they alone decide.
std::vector<Row> CleanRows() {
  return {
      {"tcp4", TcpTo(kVip4, kAck), kFlows},   {"tcp6", TcpTo(kVip6, kAck), kFlows},
      {"udp4", UdpTo(kVip4), kFlows},         {"udp6", UdpTo(kVip6), kFlows},
      {"tcp4-1-flow", TcpTo(kVip4, kAck), 1}, {"tcp4-512k-flows", TcpTo(kVip4, kAck), 512 * 1024},
      {"syn4", TcpTo(kVip4, kSyn), kEndless}, {"syn6", TcpTo(kVip6, kSyn), kEndless}};
}

// With slots that changed hands: the flow table has a say.
std::vector<Row> DirtyRows() {
  constexpr uint32_t kOtherClients = kFirstClient + (1 << 22);
  return {{"dirty-syn4", TcpTo(kVip4, kSyn), kEndless, kOtherClients},
          {"dirty-tcp4", TcpTo(kVip4, kAck), kFlows, kFirstClient, true}};
}

uint64_t ThreadTimeNs() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// The kernel's own figure is in whole nanoseconds; the time of this thread is finer, and like it
// leaves out what else ran on the CPU.
absl::StatusOr<double> NsPerPacket(const Programs& programs, const Bytes& frame, uint32_t repeat) {
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
              .data_size_in = static_cast<uint32_t>(frame.size()),
              .repeat = static_cast<int>(repeat));
  const uint64_t before = ThreadTimeNs();
  if (bpf_prog_test_run_opts(programs.drive(), &options) != 0) {
    return base::LastErrnoStatus("BPF_PROG_TEST_RUN");
  }
  const uint64_t taken = ThreadTimeNs() - before;
  if (options.retval != XDP_TX) {
    return absl::InternalError(
        absl::StrCat("the program returned ", options.retval, " for the last packet, not XDP_TX"));
  }
  return static_cast<double>(taken) / repeat;
}

class Bench {
 public:
  Bench(Programs& programs, Product& product, const PacketCostOptions& options)
      : programs_(programs), product_(product), options_(options) {}

  absl::Status Measure(const std::vector<Row>& rows) {
    for (const Row& row : rows) names_.push_back(row.name);
    results_.resize(names_.size());
    for (uint32_t round = 0; round < options_.rounds; ++round) {
      for (size_t i = 0; i < rows.size(); ++i) {
        Rounds& rounds = results_[results_.size() - rows.size() + i];
        if (absl::Status status = MeasureRow(rows[i], &rounds); !status.ok()) return status;
      }
    }
    return absl::OkStatus();
  }

  // Brings the flows of the recorded row into the flow table, as established ones. No bucket of 8
  // gets a ninth: 64 k flows in 128 k buckets do that once in 1,000 keys.
  absl::Status Establish() {
    for (const uint8_t flags : {kSyn, kAck}) {
      const Row row = {"", TcpTo(kVip4, flags), kFlows};
      const auto cost = RunSlice(row, product_.program(), kFlows);
      if (!cost.ok()) return cost.status();
    }
    return absl::OkStatus();
  }

  std::string ToJson(uint64_t map_bytes) const {
    std::vector<std::string> rows;
    for (size_t i = 0; i < names_.size(); ++i) {
      const Rounds& rounds = results_[i];
      rows.push_back(absl::StrCat("\"", names_[i], "\": {\"floor\": [",
                                  absl::StrJoin(rounds.floor, ", "), "], \"swap\": [",
                                  absl::StrJoin(rounds.swap, ", "), "], \"fairlead\": [",
                                  absl::StrJoin(rounds.fairlead, ", "), "]}"));
    }
    return absl::StrCat("{\"map_bytes\": ", map_bytes, ", \"rows\": {", absl::StrJoin(rows, ",\n"),
                        "}}");
  }

 private:
  absl::StatusOr<double> RunSlice(const Row& row, int program, uint32_t repeat) {
    if (auto status = programs_.SetTested(program); !status.ok()) return status;
    programs_.traffic() = VaryFlows(row.frame, row.flows, row.first_client);
    return NsPerPacket(programs_, row.frame, repeat);
  }

  absl::Status MeasureRow(const Row& row, Rounds* rounds) {
    const auto floor = RunSlice(row, programs_.return_tx(), options_.repeat);
    if (!floor.ok()) return floor.status();
    const auto swap = RunSlice(row, programs_.swap_macs(), options_.repeat);
    if (!swap.ok()) return swap.status();
    const auto before = product_.CountForwarded();
    const auto fairlead = RunSlice(row, product_.program(), options_.repeat);
    const auto after = product_.CountForwarded();
    if (!fairlead.ok()) return fairlead.status();
    if (!before.ok() || !after.ok()) return absl::InternalError("the counters cannot be read");
    const uint64_t forwarded = after->packets - before->packets;
    const uint64_t recorded = after->recorded - before->recorded;
    if (forwarded != options_.repeat || (row.is_recorded && recorded != options_.repeat)) {
      return absl::InternalError(absl::StrCat(row.name, ": of ", options_.repeat, " packets ",
                                              forwarded, " were forwarded, ", recorded,
                                              " to a recorded server"));
    }
    rounds->floor.push_back(*floor);
    rounds->swap.push_back(*swap);
    rounds->fairlead.push_back(*fairlead);
    return absl::OkStatus();
  }

  Programs& programs_;
  Product& product_;
  const PacketCostOptions options_;
  std::vector<std::string> names_;
  std::vector<Rounds> results_;
};

absl::Status CheckStatsAreOff() {
  std::ifstream file("/proc/sys/kernel/bpf_stats_enabled");
  int enabled = 0;
  file >> enabled;
  if (enabled == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "kernel.bpf_stats_enabled adds two clock reads to every packet; set it to 0");
}

}  // namespace

absl::StatusOr<std::string> MeasurePacketCost(const PacketCostOptions& options) {
  if (absl::Status status = CheckStatsAreOff(); !status.ok()) return status;
  auto programs = Programs::Create();
  if (!programs.ok()) return programs.status();
  auto product = Product::Create(kLoopback, dataplane::dr::kOwnMac);
  if (!product.ok()) return product.status();
  Bench bench(**programs, **product, options);
  if (absl::Status status = bench.Measure(CleanRows()); !status.ok()) return status;
  if (absl::Status status = (*product)->ChangeEveryOwner(); !status.ok()) return status;
  if (absl::Status status = bench.Establish(); !status.ok()) return status;
  if (absl::Status status = bench.Measure(DirtyRows()); !status.ok()) return status;
  const absl::StatusOr<uint64_t> map_bytes = (*product)->MapBytes();
  if (!map_bytes.ok()) return map_bytes.status();
  return bench.ToJson(*map_bytes);
}

}  // namespace fairlead::bench
