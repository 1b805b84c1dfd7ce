// Frames of every kind of badness, against the oracle of frame_oracle.h: nothing is forwarded that
// should not be; what is forwarded differs in its MACs only and goes to a server that its flow may
// have; what is not forwarded stays as it is and is counted once, under one reason.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/packet/bad_frame_cases.h"
#include "tests/packet/frame_oracle.h"
#include "tests/packet/program_test.h"

namespace fairlead::dataplane::dr {
namespace {

constexpr size_t kEthernetBytes = 14;  // the least that BPF_PROG_TEST_RUN takes
constexpr uint16_t kVlan = 100;
constexpr uint16_t kServerInVlan = 9;
constexpr uint16_t kServerGone = 8;
constexpr uint16_t kServerLocal = 7;

uint16_t OwnerOf(uint32_t slot) { return static_cast<uint16_t>(1 + slot % 9); }
uint16_t NextOwnerOf(uint32_t slot) { return static_cast<uint16_t>(1 + (slot + 1) % 9); }

class BadFramesTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    if (IsSkipped()) return;
    server(kServerInVlan).flags = bpf::kDrServerUsable | kVlan;
    server(kServerGone).flags = 0;
    server(kServerLocal).flags = bpf::kDrServerUsable | bpf::kDrServerLocal;
    for (const uint32_t index : {kTcp4, kUdp4, kTcp6, kUdp6}) {
      SetRing(RingKind::kPresent, index, OwnerOf);
    }
    counted_ = Counted();
  }

  // From here on every slot has just gone from OwnerOf to NextOwnerOf.
  void MakeEverySlotDirty() {
    for (const uint32_t index : {kTcp4, kUdp4, kTcp6, kUdp6}) {
      SetRing(RingKind::kBase, index, OwnerOf);
      SetRing(RingKind::kPresent, index, [](uint32_t slot) {
        return static_cast<uint16_t>(NextOwnerOf(slot) | bpf::kDrSlotDirty);
      });
    }
    is_dirty_ = true;
  }

  // True: forwarded. Everything that is wrong is a test failure.
  bool Check(const Bytes& frame) {
    const Judgement judgement = Judge(frame);
    const std::set<uint16_t> owners = OwnersOf(judgement);
    const std::set<uint16_t> allowed = AllowedOf(frame, judgement, owners);
    const Outcome outcome = Run(frame);
    const uint64_t counted_before = std::exchange(counted_, Counted());
    const uint64_t counted = counted_ - counted_before;
    const bool is_forwarded = outcome.verdict == XDP_TX;
    const std::string what = absl::StrCat(
        absl::BytesToHexString({reinterpret_cast<const char*>(frame.data()), frame.size()}), " (",
        judgement.why, ") verdict ", outcome.verdict);
    if (!is_forwarded) {
      EXPECT_TRUE(outcome.verdict == XDP_PASS || outcome.verdict == XDP_DROP) << what;
      EXPECT_EQ(outcome.frame, frame) << what;
      EXPECT_EQ(counted, 1u) << what;
      const bool must = judgement.kind == Judgement::Kind::kFlow && !judgement.is_beyond;
      EXPECT_FALSE(must && !is_dirty_ && !allowed.empty()) << what << ": not forwarded";
    } else {
      const auto server = static_cast<uint16_t>(outcome.frame.size() > 5 ? outcome.frame[5] : 0);
      EXPECT_EQ(allowed.count(server), 1u) << what << ": forwarded to server " << server;
      EXPECT_EQ(counted, 0u) << what;
      EXPECT_EQ(outcome.frame, WithMacsTo(frame, server)) << what;
    }
    if (judgement.is_first_fragment && !owners.empty()) {
      firsts_[judgement.datagram].insert(owners.begin(), owners.end());
    }
    return is_forwarded;
  }

 private:
  uint64_t Counted() {
    const auto reasons = store().Reasons();
    EXPECT_TRUE(reasons.ok()) << reasons.status();
    return reasons.ok() ? std::accumulate(reasons->begin(), reasons->end(), uint64_t{0}) : 0;
  }

  static Bytes WithMacsTo(Bytes frame, uint16_t server) {
    const Mac mac = ServerMac(static_cast<uint8_t>(server));
    std::copy(mac.begin(), mac.end(), frame.begin());
    std::copy(kOwnMac.begin(), kOwnMac.end(), frame.begin() + 6);
    return frame;
  }

  // 0 = none. What ProgramTest::SetUp configures.
  static uint32_t ServiceOf(const Judgement& judgement) {
    const std::string vip = judgement.flow.vip.ToString();
    const uint16_t port = judgement.flow.vip_port;
    const bool is_tcp = judgement.protocol == IPPROTO_TCP;
    if (vip == kVip4 && is_tcp) {
      return port == 80 || port == 443 || (port >= 5014 && port <= 5019) ? kTcp4 : 0;
    }
    if (vip == kVip4) return port == 53 ? kUdp4 : 0;
    if (vip != kVip6) return 0;
    if (is_tcp) return port == 80 ? kTcp6 : 0;
    return port == 53 ? kUdp6 : 0;
  }

  std::set<uint16_t> OwnersOf(const Judgement& judgement) {
    if (judgement.kind == Judgement::Kind::kNone) return {};
    if (judgement.kind == Judgement::Kind::kLaterFragment) return firsts_[judgement.datagram];
    const uint32_t service = ServiceOf(judgement);
    if (service == 0) return {};
    const uint32_t slot = SlotOf(service, judgement.flow);
    if (is_dirty_) return {OwnerOf(slot), NextOwnerOf(slot)};
    return {OwnerOf(slot)};
  }

  // Those of the owners to which the frame may go as it came.
  std::set<uint16_t> AllowedOf(const Bytes& frame, const Judgement& judgement,
                               const std::set<uint16_t>& owners) {
    std::set<uint16_t> allowed;
    if (!std::equal(kOwnMac.begin(), kOwnMac.end(), frame.begin())) return allowed;
    for (const uint16_t server : owners) {
      const uint16_t vlan = server == kServerInVlan ? kVlan : 0;
      if (server == kServerGone || server == kServerLocal || vlan != judgement.vlan) continue;
      allowed.insert(server);
    }
    return allowed;
  }

  bool is_dirty_ = false;
  uint64_t counted_ = 0;
  std::map<Datagram, std::set<uint16_t>> firsts_;  // where first fragments went
};

// Makes bad frames of good ones. The same seed makes the same frames.
class Mutator {
 public:
  Mutator(std::vector<Bytes> corpus, uint32_t seed) : corpus_(std::move(corpus)), random_(seed) {}

  Bytes Next() {
    Bytes frame = Any();
    for (size_t changes = Below(4); changes > 0; --changes) {
      Change(&frame);
      frame.resize(std::clamp(frame.size(), kEthernetBytes, kFrameBytesMax));
    }
    return frame;
  }

 private:
  static constexpr size_t kFrameBytesMax = 1514;

  size_t Below(size_t limit) { return random_() % limit; }
  const Bytes& Any() { return corpus_[Below(corpus_.size())]; }
  // Headers are what matters.
  size_t Place(const Bytes& frame) {
    return Below(Below(4) == 0 ? frame.size() : 80) % frame.size();
  }
  ptrdiff_t Offset(const Bytes& frame) { return static_cast<ptrdiff_t>(Place(frame)); }

  void Change(Bytes* frame) {
    switch (Below(8)) {
      case 0:
        (*frame)[Place(*frame)] ^= static_cast<uint8_t>(1 << Below(8));
        break;
      case 1:
        (*frame)[Place(*frame)] = static_cast<uint8_t>(random_());
        break;
      case 2:
        PutLength(frame);
        break;
      case 3:
        frame->resize(kEthernetBytes + Below(frame->size()));
        break;
      case 4:
        frame->resize(frame->size() + Below(64), static_cast<uint8_t>(random_()));
        break;
      case 5:
        Splice(frame);
        break;
      case 6:
        frame->erase(frame->begin() + Offset(*frame));
        break;
      case 7:
        Insert(frame);
        break;
    }
  }

  // A 16-bit field becomes a size that is just right, or just wrong.
  void PutLength(Bytes* frame) {
    const size_t at = Place(*frame);
    if (at + 2 > frame->size()) return;
    const size_t sizes[] = {0, 1, 0xffff, frame->size() - kEthernetBytes, frame->size() - at};
    const size_t size = sizes[Below(std::size(sizes))] + Below(3) - 1;
    (*frame)[at] = static_cast<uint8_t>(size >> 8);
    (*frame)[at + 1] = static_cast<uint8_t>(size);
  }

  void Splice(Bytes* frame) {
    const Bytes& other = Any();
    frame->resize(Place(*frame));
    frame->insert(frame->end(), other.begin() + Offset(other), other.end());
  }

  void Insert(Bytes* frame) {
    const Bytes& other = Any();
    const ptrdiff_t from = Offset(other);
    const auto size = std::min<ptrdiff_t>(static_cast<ptrdiff_t>(1 + Below(40)),
                                          static_cast<ptrdiff_t>(other.size()) - from);
    frame->insert(frame->begin() + Offset(*frame), other.begin() + from,
                  other.begin() + from + size);
  }

  const std::vector<Bytes> corpus_;
  std::mt19937 random_;
};

std::vector<Bytes> Corpus() {
  std::vector<Bytes> frames;
  for (const FrameCase& made : AllFrameCases()) frames.push_back(made.frame);
  return frames;
}

TEST_F(BadFramesTest, CasesMadeByHand) {
  for (const FrameCase& made : AllFrameCases()) {
    EXPECT_EQ(Check(made.frame), made.is_forwarded) << made.name;
  }
}

TEST_F(BadFramesTest, EveryTruncation) {
  size_t forwarded = 0;
  for (const Bytes& whole : Corpus()) {
    for (size_t size = kEthernetBytes; size < whole.size() && !HasFailure(); ++size) {
      forwarded += Check(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)));
    }
  }
  EXPECT_GT(forwarded, 0u) << "padding may go";
}

TEST_F(BadFramesTest, MutatedFrames) {
  constexpr uint32_t kSeed = 20261124;
  constexpr int kFrames = 120'000;
  std::cout << "seed " << kSeed << "\n";
  Mutator mutator(Corpus(), kSeed);
  int forwarded = 0;
  for (int i = 0; i < kFrames && !HasFailure(); ++i) {
    if (i == kFrames / 2) MakeEverySlotDirty();
    forwarded += Check(mutator.Next());
  }
  std::cout << forwarded << " of " << kFrames << " frames forwarded\n";
  EXPECT_GT(forwarded, kFrames / 10);
}

}  // namespace
}  // namespace fairlead::dataplane::dr
