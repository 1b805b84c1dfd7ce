// bench_dr: what tests/bench/run_dr measures with. Prints JSON.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/bench/dr/packet_cost.h"

namespace fairlead::bench {
namespace {

constexpr char kUsage[] = "usage: bench_dr packets [--rounds N] [--repeat PACKETS]\n";
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

int Packets(const std::vector<std::string>& words) {
  PacketCostOptions options;
  for (size_t i = 1; i < words.size(); i += 2) {
    if (i + 1 == words.size()) Usage();
    const auto value = static_cast<uint32_t>(std::strtoul(words[i + 1].c_str(), nullptr, 10));
    if (value == 0) Usage();
    if (words[i] == "--rounds") {
      options.rounds = value;
    } else if (words[i] == "--repeat") {
      options.repeat = value;
    } else {
      Usage();
    }
  }
  return Print(MeasurePacketCost(options));
}

int Main(const std::vector<std::string>& words) {
  if (!words.empty() && words[0] == "packets") return Packets(words);
  Usage();
}

}  // namespace
}  // namespace fairlead::bench

int main(int argc, char** argv) {
  return fairlead::bench::Main(std::vector<std::string>(argv + 1, argv + argc));
}
