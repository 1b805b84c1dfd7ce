// The benchmark's own BPF programs in the kernel; see bench.bpf.c.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "tests/bench/dr/traffic.h"

struct bench_bpf;  // the skeleton that bpftool generates

namespace fairlead::bench {

class Programs {
 public:
  // Error: FailedPrecondition with the cause; the kernel refuses them, or is older than 5.18.
  static absl::StatusOr<std::unique_ptr<Programs>> Create();
  ~Programs();

  // Seen by the next packet.
  BenchTraffic& traffic();

  // Descriptors; they live as long as this object. `drive` calls what SetTested named.
  int drive() const;
  int return_tx() const;
  int swap_macs() const;
  int pass() const;
  int generate() const;
  int sink() const;

  absl::Status SetTested(int program);
  // Where `generate` sends; an interface of the namespace that this thread is in.
  absl::Status SetWire(uint32_t ifindex);
  // Frames that reached `sink`.
  absl::StatusOr<uint64_t> Sunk() const;

 private:
  explicit Programs(bench_bpf* skeleton) : skeleton_(skeleton) {}
  bench_bpf* const skeleton_;
};

}  // namespace fairlead::bench
