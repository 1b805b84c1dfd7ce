// bench_dr: what tests/bench/run_dr measures with. Prints JSON.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/bench/dr/forwarding.h"
#include "tests/bench/dr/packet_cost.h"

namespace fairlead::bench {
namespace {

constexpr char kUsage[] =
    "usage: bench_dr packets [--rounds N] [--repeat PACKETS]\n"
    "       bench_dr forwarding GENERATOR BALANCER kernel|swap|fairlead|fairlead-generic PACKETS\n";
constexpr int kRefusedByKernel = 77;

[[noreturn]] void Usage() {
  std::fputs(kUsage, stderr);
  std::exit(2);
}

int Print(const absl::StatusOr<std::string>& json) {
  if (json.ok()) {
    std::puts(json->c_str());
    return 0;
  }
  std::fprintf(stderr, "bench_dr: %s\n", std::string(json.status().message()).c_str());
  return absl::IsFailedPrecondition(json.status()) ? kRefusedByKernel : 1;
}

uint32_t ParseCount(const std::string& text) {
  const auto value = static_cast<uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
  if (value == 0) Usage();
  return value;
}

PacketCostOptions ParsePacketCost(const std::vector<std::string>& words) {
  PacketCostOptions options;
  for (size_t i = 1; i < words.size(); i += 2) {
    if (i + 1 == words.size()) Usage();
    if (words[i] == "--rounds") {
      options.rounds = ParseCount(words[i + 1]);
    } else if (words[i] == "--repeat") {
      options.repeat = ParseCount(words[i + 1]);
    } else {
      Usage();
    }
  }
  return options;
}

Forwarder ParseForwarder(const std::string& text) {
  if (text == "kernel") return Forwarder::kKernel;
  if (text == "swap") return Forwarder::kSwapMacs;
  if (text == "fairlead") return Forwarder::kFairlead;
  if (text == "fairlead-generic") return Forwarder::kFairleadGeneric;
  Usage();
}

int Main(const std::vector<std::string>& words) {
  if (words.empty()) Usage();
  if (words[0] == "packets") return Print(MeasurePacketCost(ParsePacketCost(words)));
  if (words[0] != "forwarding" || words.size() != 5) Usage();
  return Print(
      MeasureForwarding({words[1], words[2], ParseForwarder(words[3]), ParseCount(words[4])}));
}

}  // namespace
}  // namespace fairlead::bench

int main(int argc, char** argv) {
  return fairlead::bench::Main(std::vector<std::string>(argv + 1, argv + argc));
}
