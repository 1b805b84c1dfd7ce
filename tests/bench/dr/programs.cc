#include "tests/bench/dr/programs.h"

#include <bench.skel.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::bench {

absl::StatusOr<std::unique_ptr<Programs>> Programs::Create() {
  bench_bpf* skeleton = bench_bpf__open();
  if (skeleton == nullptr) return base::LastErrnoStatus("open the benchmark's BPF programs");
  std::unique_ptr<Programs> programs(new Programs(skeleton));
  bpf_program* program = nullptr;
  // A program calls only those that take frames in several buffers as it does; ours has to.
  bpf_object__for_each_program(program, skeleton->obj) {
    bpf_program__set_flags(program, BPF_F_XDP_HAS_FRAGS);
  }
  if (bench_bpf__load(skeleton) != 0) {
    const absl::Status status = base::LastErrnoStatus("load the benchmark's BPF programs");
    return absl::FailedPreconditionError(absl::StrCat(
        status.message(),
        "; loading BPF needs root, Linux 5.18, and a seccomp profile that lets bpf(2) through"));
  }
  return programs;
}

Programs::~Programs() { bench_bpf__destroy(skeleton_); }

BenchTraffic& Programs::traffic() { return skeleton_->bss->traffic; }

int Programs::drive() const { return bpf_program__fd(skeleton_->progs.bench_drive); }
int Programs::return_tx() const { return bpf_program__fd(skeleton_->progs.bench_return); }
int Programs::swap_macs() const { return bpf_program__fd(skeleton_->progs.bench_swap_macs); }
int Programs::pass() const { return bpf_program__fd(skeleton_->progs.bench_pass); }
int Programs::generate() const { return bpf_program__fd(skeleton_->progs.bench_generate); }
int Programs::sink() const { return bpf_program__fd(skeleton_->progs.bench_sink); }

absl::Status Programs::SetTested(int program) {
  const uint32_t key = 0;
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.tested), &key, &program, BPF_ANY) != 0) {
    return base::LastErrnoStatus("set the program that the driver calls");
  }
  return absl::OkStatus();
}

absl::Status Programs::SetWire(uint32_t ifindex) {
  const uint32_t key = 0;
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.wire), &key, &ifindex, BPF_ANY) != 0) {
    return base::LastErrnoStatus("set the interface that the generator sends to");
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Programs::Sunk() const {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return base::ErrnoStatus(-cpus, "count the possible CPUs");
  std::vector<uint64_t> counts(static_cast<size_t>(cpus));
  const uint32_t key = 0;
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.sunk), &key, counts.data()) != 0) {
    return base::LastErrnoStatus("read the count of the sink");
  }
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

}  // namespace fairlead::bench
