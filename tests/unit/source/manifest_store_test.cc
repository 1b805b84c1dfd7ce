#include "pkg/source/manifest_store.h"

#include <gtest/gtest.h>

#include "tests/unit/source/source_testing.h"

namespace fairlead::source {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Files = std::vector<std::pair<std::string, std::string>>;  // name, text

class ManifestStoreTest : public testing::Test {
 protected:
  const model::DesiredState& Merge(const Files& files, bool complete = true) {
    Reading reading;
    for (const auto& [name, text] : files) {
      reading.files.push_back(std::make_shared<DecodeResult>(DecodeManifests(text, name)));
    }
    reading.complete = complete;
    state_ = store_.Merge(reading);
    return *state_;
  }

  std::vector<std::string> Vips() const { return NamesOf(state_->vips); }
  std::string PortsOf(const std::string& name) const {
    for (const model::Vip& vip : state_->vips) {
      if (vip.id.name == name) return vip.ports.ToString();
    }
    return "none";
  }
  std::vector<std::string> Stale() const {
    std::vector<std::string> stale;
    for (const model::ObjectId& id : state_->stale) stale.push_back(id.name);
    return stale;
  }

  ManifestStore store_{{*net::Endpoint::Parse("127.0.0.1:9080")}};
  std::shared_ptr<const model::DesiredState> state_;
};

const char kBadSpec[] = "  addresses: nonsense\n";

TEST_F(ManifestStoreTest, GoodObjectsAreInForceSortedById) {
  Merge({{"1.yaml", GoodVipText("b", "10.0.0.2")}, {"2.yaml", GoodVipText("a", "10.0.0.1")}});
  EXPECT_THAT(Vips(), ElementsAre("a", "b"));
  EXPECT_THAT(state_->findings, IsEmpty());
  EXPECT_THAT(Stale(), IsEmpty());
}

TEST_F(ManifestStoreTest, AnAddressPoolKeepsItsLastGoodVersionToo) {
  const std::string pool = Header("AddressPool", "office");
  Merge({{"1.yaml", pool + "spec: {ranges: [10.0.0.1]}\n"}});
  Merge({{"1.yaml", pool + "spec: {ranges: [10.0.0.0/8]}\n"}});
  ASSERT_EQ(state_->address_pools.size(), 1u);
  EXPECT_EQ(state_->address_pools[0].ranges[0].ToString(), "10.0.0.0-10.255.255.255");
  EXPECT_THAT(Stale(), IsEmpty());
  Merge({{"1.yaml", pool + "spec: {ranges: []}\n"}});
  ASSERT_EQ(state_->address_pools.size(), 1u);
  EXPECT_THAT(Stale(), ElementsAre("office"));
  Merge({{"1.yaml", pool + "spec: {ranges: [10.0.0.1]}\n"},
         {"2.yaml", pool + "spec: {ranges: [10.0.0.2]}\n"}});
  ASSERT_EQ(state_->address_pools.size(), 1u);
  EXPECT_EQ(state_->address_pools[0].ranges[0].ToString(), "10.0.0.1");
  EXPECT_THAT(LinesOf(state_->findings), Contains(HasSubstr("declared already at 1.yaml")));
  Merge({});
  EXPECT_THAT(state_->address_pools, IsEmpty());
}

TEST_F(ManifestStoreTest, ABadEditKeepsTheLastGoodVersion) {
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1", "80")}});
  Merge({{"1.yaml", VipText("a", kBadSpec)}});
  EXPECT_EQ(PortsOf("a"), "80");
  EXPECT_THAT(Stale(), ElementsAre("a"));
  EXPECT_THAT(LinesOf(state_->findings), Contains(HasSubstr("spec.addresses")));
  Merge({{"1.yaml", VipText("a", kBadSpec)}});  // and still the next time
  EXPECT_EQ(PortsOf("a"), "80");
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1", "81")}});
  EXPECT_EQ(PortsOf("a"), "81");
  EXPECT_THAT(Stale(), IsEmpty());
}

TEST_F(ManifestStoreTest, AnObjectThatWasNeverGoodIsNotInForce) {
  Merge({{"1.yaml", VipText("a", kBadSpec) + "---\n" + GoodVipText("b", "10.0.0.2")}});
  EXPECT_THAT(Vips(), ElementsAre("b"));
  EXPECT_THAT(Stale(), IsEmpty());
}

TEST_F(ManifestStoreTest, ADeletedFileDeletesItsObjects) {
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1")}, {"2.yaml", GoodVipText("b", "10.0.0.2")}});
  Merge({{"2.yaml", GoodVipText("b", "10.0.0.2")}});
  EXPECT_THAT(Vips(), ElementsAre("b"));
  Merge({});
  EXPECT_THAT(Vips(), IsEmpty());
}

TEST_F(ManifestStoreTest, ADeletedDocumentDeletesItsObject) {
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1") + "---\n" + GoodVipText("b", "10.0.0.2")}});
  Merge({{"1.yaml", GoodVipText("b", "10.0.0.2")}});
  EXPECT_THAT(Vips(), ElementsAre("b"));
}

TEST_F(ManifestStoreTest, AnUnreadableDirectoryTearsNothingDown) {
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1") + "---\n" + ServerText("s", "10.0.0.3", "a")}});
  Merge({}, /*complete=*/false);
  EXPECT_THAT(Vips(), ElementsAre("a"));
  EXPECT_THAT(NamesOf(state_->real_servers), ElementsAre("s"));
  EXPECT_THAT(Stale(), ElementsAre("a", "s"));
}

TEST_F(ManifestStoreTest, AHalfWrittenFileTearsNothingDown) {
  const std::string both = GoodVipText("a", "10.0.0.1") + "---\n" + GoodVipText("b", "10.0.0.2");
  for (size_t length = 0; length < both.size(); ++length) {
    ManifestStore store({});
    const auto read = [&store](const std::string& text) {
      Reading reading;
      reading.files.push_back(std::make_shared<DecodeResult>(DecodeManifests(text, "1.yaml")));
      return store.Merge(reading);
    };
    read(both);
    const auto after = read(both.substr(0, length));
    // A cut between two documents cannot be told from a deletion; everywhere else `a` stays whole.
    EXPECT_THAT(NamesOf(after->vips), Contains("a")) << length;
  }
}

TEST_F(ManifestStoreTest, ASyntaxErrorKeepsWhatTheFileHeldAndTakesTheRest) {
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1") + "---\n" + GoodVipText("b", "10.0.0.2", "80")}});
  Merge({{"1.yaml", "a: [\n---\n" + GoodVipText("b", "10.0.0.2", "81")},
         {"2.yaml", GoodVipText("c", "10.0.0.3")}});
  EXPECT_THAT(Vips(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(PortsOf("b"), "81");
  EXPECT_THAT(Stale(), ElementsAre("a"));
}

TEST_F(ManifestStoreTest, AnEmptyFileTearsNothingDownAndACommentDoes) {
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1")}});
  Merge({{"1.yaml", ""}});
  EXPECT_THAT(Vips(), ElementsAre("a"));
  Merge({{"1.yaml", "# nothing\n"}});
  EXPECT_THAT(Vips(), IsEmpty());
}

TEST_F(ManifestStoreTest, AnObjectMovesToAnotherFile) {
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1")}});
  Merge({{"2.yaml", GoodVipText("a", "10.0.0.1")}});
  EXPECT_THAT(Vips(), ElementsAre("a"));
  EXPECT_EQ(state_->vips[0].location.file, "2.yaml");
  EXPECT_THAT(Stale(), IsEmpty());
}

TEST_F(ManifestStoreTest, TheSecondDeclarationOfAnObjectIsAnError) {
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1", "80")},
         {"2.yaml", GoodVipText("a", "10.0.0.1", "81")}});
  EXPECT_EQ(PortsOf("a"), "80");
  EXPECT_THAT(LinesOf(state_->findings),
              ElementsAre("2.yaml:1:1: error: VIP default/a: metadata.name: declared already at "
                          "1.yaml:1:1, which is used; delete one of them or give it another name"));
}

TEST_F(ManifestStoreTest, ACopyInAnEarlierFileDoesNotTakeAnObjectOver) {
  Merge({{"2.yaml", GoodVipText("a", "10.0.0.1", "80")}});
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1", "81")},
         {"2.yaml", GoodVipText("a", "10.0.0.1", "80")}});
  EXPECT_EQ(PortsOf("a"), "80");
  EXPECT_THAT(LinesOf(state_->findings), ElementsAre(HasSubstr("1.yaml:1:1: error")));
}

TEST_F(ManifestStoreTest, ANewVipDoesNotTakeAPortFromOneInForce) {
  Merge({{"2.yaml", GoodVipText("old", "10.0.0.1", "80")}});
  Merge({{"1.yaml", GoodVipText("new", "10.0.0.1", "80")},
         {"2.yaml", GoodVipText("old", "10.0.0.1", "80")}});
  EXPECT_THAT(Vips(), ElementsAre("old"));
  EXPECT_THAT(LinesOf(state_->findings), ElementsAre(HasSubstr("belongs to VIP default/old")));
}

TEST_F(ManifestStoreTest, AnEditIntoAConflictKeepsTheLastGoodVersion) {
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1", "80")},
         {"2.yaml", GoodVipText("b", "10.0.0.1", "443")}});
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1", "443")},
         {"2.yaml", GoodVipText("b", "10.0.0.1", "443")}});
  EXPECT_EQ(PortsOf("a"), "80");
  EXPECT_EQ(PortsOf("b"), "443");
  EXPECT_THAT(Stale(), ElementsAre("a"));
  EXPECT_THAT(LinesOf(state_->findings),
              ElementsAre(HasSubstr("1.yaml:1:1: error: VIP default/a")));
}

TEST_F(ManifestStoreTest, TwoVipsCanSwapTheirPortsInOneEdit) {
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1", "80")},
         {"2.yaml", GoodVipText("b", "10.0.0.1", "443")}});
  Merge({{"1.yaml", GoodVipText("a", "10.0.0.1", "443")},
         {"2.yaml", GoodVipText("b", "10.0.0.1", "80")}});
  EXPECT_EQ(PortsOf("a"), "443");
  EXPECT_EQ(PortsOf("b"), "80");
  EXPECT_THAT(Stale(), IsEmpty());
}

// b moves to the port that a leaves, but a's edit is refused because of c: then b must go back too.
TEST_F(ManifestStoreTest, AFallBackCanForceAnother) {
  const auto files = [](const char* a, const char* b) {
    return Files{{"1.yaml", GoodVipText("a", "10.0.0.1", a)},
                 {"2.yaml", GoodVipText("b", "10.0.0.1", b)},
                 {"3.yaml", GoodVipText("c", "10.0.0.1", "90")}};
  };
  Merge(files("80", "81"));
  Merge(files("90", "80"));
  EXPECT_EQ(PortsOf("a"), "80");
  EXPECT_EQ(PortsOf("b"), "81");
  EXPECT_EQ(PortsOf("c"), "90");
  EXPECT_THAT(Stale(), ElementsAre("a", "b"));
}

TEST_F(ManifestStoreTest, AVipOnOurOwnPortIsRejected) {
  Merge({{"1.yaml", GoodVipText("a", "127.0.0.1", "9080")}});
  EXPECT_THAT(Vips(), IsEmpty());
  EXPECT_THAT(LinesOf(state_->findings), ElementsAre(HasSubstr("Fairlead's own")));
}

TEST_F(ManifestStoreTest, ServersInForceKeepTheirEndpoint) {
  const std::string vip =
      "apiVersion: lb.fairlead.dev/v1alpha1\nkind: VIP\nmetadata: {name: a}\n"
      "spec: {addresses: [10.0.0.1], ports: \"80\"}\n";
  Merge({{"1.yaml", vip}, {"3.yaml", ServerText("old", "10.0.0.9", "a")}});
  Merge({{"1.yaml", vip},
         {"2.yaml", ServerText("new", "10.0.0.9", "a")},
         {"3.yaml", ServerText("old", "10.0.0.9", "a")}});
  EXPECT_THAT(NamesOf(state_->real_servers), ElementsAre("old"));
}

TEST_F(ManifestStoreTest, ThereIsOneNode) {
  Merge({{"1.yaml", Header("Node", "lb1")}, {"2.yaml", Header("Node", "lb2")}});
  ASSERT_TRUE(state_->node.has_value());
  EXPECT_EQ(state_->node->id.name, "lb1");
  EXPECT_THAT(LinesOf(state_->findings), ElementsAre(HasSubstr("a configuration has one Node")));
}

TEST_F(ManifestStoreTest, ABadNodeKeepsItsLastGoodVersion) {
  Merge({{"1.yaml", Header("Node", "lb1") + "spec: {stateDirectory: /a}\n"}});
  Merge({{"1.yaml", Header("Node", "lb1") + "spec: {stateDirectory: a}\n"}});
  ASSERT_TRUE(state_->node.has_value());
  EXPECT_EQ(state_->node->state_directory, "/a");
  EXPECT_THAT(Stale(), ElementsAre("lb1"));
  Merge({});
  EXPECT_FALSE(state_->node.has_value());
}

TEST_F(ManifestStoreTest, FindingsAreSortedByPlace) {
  Merge({{"1.yaml", VipText("a", kBadSpec)},
         {"2.yaml", ServerText("s", "10.0.0.9", "nobody")},
         {"3.yaml", VipText("b", kBadSpec)}});
  std::vector<std::string> files;
  for (const model::Finding& finding : state_->findings) {
    if (files.empty() || files.back() != finding.location.file) {
      files.push_back(finding.location.file);
    }
  }
  EXPECT_THAT(files, ElementsAre("1.yaml", "2.yaml", "3.yaml"));
}

TEST_F(ManifestStoreTest, TheSameReadingGivesTheSameState) {
  const Files files = {{"1.yaml", GoodVipText("a", "10.0.0.1") + "---\n" + VipText("b", kBadSpec)}};
  Merge(files);
  const auto first = state_;
  Merge(files);
  EXPECT_EQ(*state_, *first);
}

}  // namespace
}  // namespace fairlead::source
