// The loader on real interfaces: a veth pair in a network namespace of the test's own thread, and a
// bpffs of its own. What hangs where is asked of ip and tc.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/dataplane/dr/program_loader.h"
#include "tests/packet/own_bpffs.h"
#include "tests/packet/veth_pair.h"

namespace fairlead::dataplane::dr {
namespace {

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

class AttachTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "it takes root to make a network namespace";
    auto bpffs = OwnBpffs::Mount();
    ASSERT_TRUE(bpffs.ok()) << bpffs.status();
    bpffs_ = *std::move(bpffs);
    directory_ = absl::StrCat(bpffs_->path(), "/fairlead");
    ASSERT_EQ(::mkdir(directory_.c_str(), 0700), 0) << std::strerror(errno);
    version_ = absl::StrCat(directory_, "/v", uint32_t{bpf::kDrLayoutVersion});
  }
  void InNamespace(const std::function<void()>& test) {
    WithVethPair([&](uint32_t near) {
      ifindex_ = near;
      test();
    });
  }
  std::unique_ptr<ProgramLoader> Load(AttachLadder ladder = kFullLadder) {
    auto loader = ProgramLoader::Create(directory_, std::move(ladder));
    EXPECT_TRUE(loader.ok()) << loader.status();
    return loader.ok() ? *std::move(loader) : nullptr;
  }
  AttachMode ModeOf(ProgramLoader& loader) {
    const auto attachment = loader.AttachTo(ifindex_);
    EXPECT_TRUE(attachment.ok()) << attachment.status();
    return attachment.ok() ? attachment->mode : AttachMode::kNative;
  }
  // "native", "generic", ... joined: everything of ours that is pinned for the interface.
  std::string Pinned() {
    std::string pinned;
    for (const char* prefix : {"link-", "tcx-", "filter-", "clsact-"}) {
      if (Exists(absl::StrCat(version_, "/", prefix, ifindex_))) absl::StrAppend(&pinned, prefix);
    }
    return pinned;
  }
  static std::string Xdp() {
    const std::string link = OutputOf("ip -d link show dev near");
    if (absl::StrContains(link, " xdpgeneric ")) return "generic";
    return absl::StrContains(link, " xdp ") ? "native" : "";
  }
  static std::string Filters() { return OutputOf("tc filter show dev near ingress"); }
  static bool HasClsact() {
    return absl::StrContains(OutputOf("tc qdisc show dev near"), "clsact");
  }

  std::unique_ptr<OwnBpffs> bpffs_;
  std::string directory_;
  std::string version_;
  uint32_t ifindex_ = 0;
};

TEST_F(AttachTest, EveryModeIsLeftForTheNextOne) {
  InNamespace([&] {
    const auto loader = Load();
    EXPECT_EQ(ModeOf(*loader), AttachMode::kNative);
    EXPECT_EQ(Xdp(), "native");
    EXPECT_EQ(loader->Descend(ifindex_, "lost")->mode, AttachMode::kGeneric);
    EXPECT_EQ(Xdp(), "generic");
    EXPECT_EQ(Pinned(), "link-");
    EXPECT_EQ(loader->AttachTo(ifindex_)->reason, "native: lost");
    EXPECT_EQ(loader->Descend(ifindex_, "lost too")->mode, AttachMode::kTcx);
    EXPECT_EQ(Xdp(), "");
    EXPECT_EQ(Pinned(), "tcx-");
    EXPECT_EQ(loader->Descend(ifindex_, "lost again")->mode, AttachMode::kTcFilter);
    EXPECT_EQ(Pinned(), "filter-clsact-");
    EXPECT_FALSE(loader->Descend(ifindex_, "lost at last").ok());
    EXPECT_EQ(Pinned(), "filter-clsact-") << "the last mode stays";
    loader->DetachOthers({});
    EXPECT_EQ(Pinned(), "");
    EXPECT_FALSE(HasClsact());
  });
}

TEST_F(AttachTest, TheNextProcessReplacesTheProgramInEveryMode) {
  for (const AttachMode mode : kFullLadder) {
    InNamespace([&] {
      {
        const auto first = Load({mode});
        EXPECT_EQ(ModeOf(*first), mode);
      }
      const std::string pinned = Pinned();
      EXPECT_NE(pinned, "");
      const auto next = Load();
      EXPECT_TRUE(next->adopted());
      EXPECT_EQ(ModeOf(*next), mode) << AttachModeName(mode);
      EXPECT_EQ(Pinned(), pinned);
      EXPECT_TRUE(ProgramLoader::RemovePinned(directory_).ok());
      EXPECT_FALSE(Exists(directory_));
      ASSERT_EQ(::mkdir(directory_.c_str(), 0700), 0) << std::strerror(errno);
    });
  }
}

TEST_F(AttachTest, AFilterHasOurHandleAndLeavesOthersAlone) {
  InNamespace([&] {
    ASSERT_EQ(OutputOf("tc qdisc add dev near clsact"), "");
    {
      const auto loader = Load({AttachMode::kTcFilter});
      EXPECT_EQ(ModeOf(*loader), AttachMode::kTcFilter);
      EXPECT_TRUE(absl::StrContains(Filters(), "handle 0x666c fairlead_dr_tc")) << Filters();
      EXPECT_EQ(Pinned(), "filter-");
    }
    const auto next = Load();
    const std::string filters = Filters();
    EXPECT_EQ(filters.find("handle"), filters.rfind("handle")) << "not replaced: " << filters;
    next->DetachOthers({});
    EXPECT_EQ(Filters(), "");
    EXPECT_TRUE(HasClsact()) << "it was there before";
  });
}

TEST_F(AttachTest, AQdiscOfOursStaysWhileOthersUseIt) {
  InNamespace([&] {
    const auto loader = Load({AttachMode::kTcFilter});
    EXPECT_EQ(ModeOf(*loader), AttachMode::kTcFilter);
    ASSERT_EQ(OutputOf("tc filter add dev near egress protocol all prio 5 bpf da"
                       " pinned " +
                       version_ + "/filter-" + std::to_string(ifindex_)),
              "");
    loader->DetachOthers({});
    EXPECT_TRUE(HasClsact());
    EXPECT_TRUE(absl::StrContains(OutputOf("tc filter show dev near egress"), "fairlead_dr_tc"));
  });
}

TEST_F(AttachTest, AProcessThatEndedBetweenTwoModesIsCompleted) {
  InNamespace([&] {
    {
      const auto loader = Load();
      EXPECT_EQ(ModeOf(*loader), AttachMode::kNative);
      const auto program = LoadProgram(ProgramKind::kTc, loader->store().maps());
      ASSERT_TRUE(program.ok()) << program.status();
      ASSERT_TRUE(Attach({AttachMode::kTcx, ifindex_}, program->program.get(), version_).ok());
    }
    EXPECT_EQ(Pinned(), "link-tcx-");
    const auto next = Load();
    EXPECT_EQ(ModeOf(*next), AttachMode::kTcx);
    EXPECT_EQ(Pinned(), "tcx-");
    EXPECT_EQ(Xdp(), "");
  });
}

TEST_F(AttachTest, AnotherLayoutVersionGivesItsPlaceWhenOursIsReady) {
  InNamespace([&] {
    {
      const auto former = Load();
      EXPECT_EQ(ModeOf(*former), AttachMode::kNative);
    }
    const std::string former = absl::StrCat(directory_, "/v1");
    ASSERT_EQ(::rename(version_.c_str(), former.c_str()), 0) << std::strerror(errno);
    const std::string before = OutputOf("ip -d link show dev near");
    const auto loader = Load();
    EXPECT_FALSE(loader->adopted());
    EXPECT_EQ(OutputOf("ip -d link show dev near"), before) << "it forwards until AttachTo";
    EXPECT_EQ(ModeOf(*loader), AttachMode::kNative);
    EXPECT_NE(OutputOf("ip -d link show dev near"), before);
    EXPECT_EQ(Pinned(), "link-");
    loader->DetachOthers({ifindex_});
    EXPECT_FALSE(Exists(former));
    EXPECT_EQ(Xdp(), "native");
  });
}

}  // namespace
}  // namespace fairlead::dataplane::dr
