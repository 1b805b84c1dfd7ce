// Files, documents, kinds and metadata; the fields of `spec` are in vip_decoder_test.cc.
#include "pkg/source/manifest_decoder.h"

#include <gtest/gtest.h>

#include "tests/unit/source/source_testing.h"

namespace fairlead::source {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

DecodeResult Decode(absl::string_view text) { return DecodeManifests(text, "test.yaml"); }
std::vector<std::string> FindingsOf(absl::string_view text) {
  return LinesOf(Decode(text).findings);
}

TEST(ManifestDecoderTest, ReadsSeveralDocumentsOfOneFile) {
  const DecodeResult result = Decode(absl::StrCat("# all of it\n", GoodVipText("a", "10.0.0.1"),
                                                  "---\n", ServerText("s", "10.0.0.2", "a"),
                                                  "---\n", Header("Node", "lb1"), "---\n"));
  EXPECT_THAT(LinesOf(result.findings), IsEmpty());
  EXPECT_THAT(NamesOf(result.vips), ElementsAre("a"));
  EXPECT_THAT(NamesOf(result.real_servers), ElementsAre("s"));
  EXPECT_THAT(NamesOf(result.nodes), ElementsAre("lb1"));
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.vips[0].location, (model::SourceLocation{"test.yaml", 2, 1}));
  EXPECT_EQ(result.real_servers[0].location.line, 10);
}

TEST(ManifestDecoderTest, ReadsJson) {
  const DecodeResult result = Decode(
      "{\n\t\"apiVersion\": \"lb.fairlead.dev/v1alpha1\",\n\t\"kind\": \"VIP\",\n"
      "\t\"metadata\": {\"name\": \"a\", \"namespace\": \"print\"},\n"
      "\t\"spec\": {\"addresses\": [\"10.0.0.1\"], \"ports\": [80, \"90-99\"]}\n}\n");
  EXPECT_THAT(LinesOf(result.findings), IsEmpty());
  ASSERT_EQ(result.vips.size(), 1u);
  EXPECT_EQ(result.vips[0].id.ToString(), "VIP print/a");
  EXPECT_EQ(result.vips[0].ports.ToString(), "80,90-99");
}

TEST(ManifestDecoderTest, ReadsWhatKubectlPrints) {
  const DecodeResult result = Decode(R"(apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: lb.fairlead.dev/v1alpha1
  kind: VIP
  metadata:
    annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
    creationTimestamp: "2026-01-02T03:04:05Z"
    generation: 3
    managedFields: [{manager: kubectl, time: "x"}]
    name: a
    namespace: default
    resourceVersion: "123"
    uid: 1-2-3
  spec: {addresses: [10.0.0.1], ports: "80"}
  status: {conditions: []}
)");
  EXPECT_THAT(LinesOf(result.findings), IsEmpty());
  EXPECT_THAT(NamesOf(result.vips), ElementsAre("a"));
}

TEST(ManifestDecoderTest, ReadsTypedLists) {
  const std::string item =
      "- {apiVersion: lb.fairlead.dev/v1alpha1, kind: VIP, metadata: {name: a}, "
      "spec: {addresses: [10.0.0.1], ports: \"80\"}}\n";
  const DecodeResult result =
      Decode("apiVersion: lb.fairlead.dev/v1alpha1\nkind: VIPList\nitems:\n" + item);
  EXPECT_THAT(NamesOf(result.vips), ElementsAre("a"));
  EXPECT_THAT(FindingsOf("apiVersion: v1\nkind: VIPList\nitems:\n" + item),
              ElementsAre(HasSubstr("a VIPList has apiVersion lb.fairlead.dev/v1alpha1")));
  EXPECT_THAT(FindingsOf("apiVersion: v1\nkind: List\n"),
              ElementsAre(HasSubstr("items: must be a list of objects")));
}

TEST(ManifestDecoderTest, AListInAListIsRefused) {
  EXPECT_THAT(
      FindingsOf("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: []}\n"),
      ElementsAre(HasSubstr("unknown kind \"List\"")));
}

TEST(ManifestDecoderTest, OneBadObjectLeavesTheOthers) {
  const DecodeResult result = Decode(absl::StrCat(GoodVipText("a", "10.0.0.1"), "---\n",
                                                  VipText("b", "  addresses: nonsense\n"), "---\n",
                                                  GoodVipText("c", "10.0.0.3")));
  EXPECT_THAT(NamesOf(result.vips), ElementsAre("a", "c"));
  ASSERT_EQ(result.rejected.size(), 1u);
  EXPECT_EQ(result.rejected[0].id.ToString(), "VIP default/b");
  EXPECT_TRUE(result.complete);
}

TEST(ManifestDecoderTest, ASyntaxErrorLosesNoOtherDocument) {
  const DecodeResult result = Decode(
      absl::StrCat(GoodVipText("a", "10.0.0.1"), "---\nb: [\n---\n", GoodVipText("c", "10.0.0.3")));
  EXPECT_THAT(NamesOf(result.vips), ElementsAre("a", "c"));
  EXPECT_FALSE(result.complete);
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_THAT(result.findings[0].ToString(), HasSubstr("test.yaml:10:1: error: YAML syntax error"));
}

TEST(ManifestDecoderTest, EveryProblemOfAnObjectIsTold) {
  const std::vector<std::string> findings =
      FindingsOf(VipText("a", "  addresses: [0.0.0.0, x]\n  prots: 80\n  maxConnections: -1\n"));
  EXPECT_THAT(findings, Contains(HasSubstr("spec.addresses[0]")));
  EXPECT_THAT(findings, Contains(HasSubstr("spec.addresses[1]")));
  EXPECT_THAT(findings, Contains(HasSubstr("spec.prots: unknown field; did you mean \"ports\"?")));
  EXPECT_THAT(findings, Contains(HasSubstr("spec.ports: a VIP needs ports")));
  EXPECT_THAT(findings, Contains(HasSubstr("spec.maxConnections: -1 must be 0..")));
}

TEST(ManifestDecoderTest, FindingsAreAtTheirFieldsPlace) {
  const DecodeResult result =
      Decode(VipText("a",
                     "  addresses: [10.0.0.1]\n  ports: \"80\"\n  healthCheck:\n"
                     "    type: HTTP\n    halfOpen: true\n"));
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_EQ(result.findings[0].ToString().substr(0, 25), "test.yaml:9:15: error: VI");
}

TEST(ManifestDecoderTest, UnknownKindsAndVersionsAreNamed) {
  EXPECT_THAT(FindingsOf(Header("Vip", "a")),
              ElementsAre(HasSubstr(
                  "unknown kind \"Vip\"; there are VIP, RealServer, AddressPool and Node; "
                  "did you mean \"VIP\"?")));
  EXPECT_THAT(
      FindingsOf(Header("VirtualService", "a")),
      ElementsAre(HasSubstr("VirtualService a: kind: unknown kind \"VirtualService\"; there "
                            "are VIP, RealServer, AddressPool and Node")));
  EXPECT_THAT(FindingsOf("apiVersion: v1\nkind: Node\nmetadata: {name: a}\n"),
              ElementsAre(HasSubstr("unknown apiVersion \"v1\"; write lb.fairlead.dev/v1alpha1")));
  EXPECT_THAT(FindingsOf("metadata: {name: a}\n"), ElementsAre(HasSubstr("needs a kind")));
  EXPECT_THAT(FindingsOf("just words\n"), ElementsAre(HasSubstr("must be a mapping")));
  EXPECT_THAT(FindingsOf("- a\n- b\n"), ElementsAre(HasSubstr("not a list")));
}

TEST(ManifestDecoderTest, AnUnidentifiedObjectMakesTheFileIncomplete) {
  EXPECT_FALSE(Decode(Header("Vip", "a")).complete);
  EXPECT_FALSE(Decode("just words\n").complete);
  EXPECT_FALSE(Decode("apiVersion: lb.fairlead.dev/v1alpha1\nkind: VIP\nspec: {}\n").complete);
}

TEST(ManifestDecoderTest, ANameIsNeededAndIsAName) {
  EXPECT_THAT(FindingsOf("apiVersion: lb.fairlead.dev/v1alpha1\nkind: VIP\n"
                         "spec: {addresses: [10.0.0.1], ports: \"80\"}\n"),
              ElementsAre(HasSubstr("metadata.name: every object needs a name")));
  EXPECT_THAT(FindingsOf(Header("Node", "Lb_1")), ElementsAre(HasSubstr("write \"lb-1\"")));
  EXPECT_THAT(FindingsOf(Header("Node", "123")),
              ElementsAre(HasSubstr("must be a string, not a number; quote it: \"123\"")));
  EXPECT_THAT(FindingsOf(Header("Node", "[a]")), ElementsAre(HasSubstr("a string, not a list")));
}

TEST(ManifestDecoderTest, ANodeHasNoNamespace) {
  EXPECT_THAT(FindingsOf(Header("Node", "lb1, namespace: default")),
              ElementsAre(HasSubstr("kind Node belongs to no namespace")));
}

TEST(ManifestDecoderTest, UnknownFieldsAreErrorsAtEveryLevel) {
  EXPECT_THAT(FindingsOf(Header("Node", "lb1") + "spce: {}\n"),
              ElementsAre(HasSubstr("spce: unknown field; did you mean \"spec\"?")));
  EXPECT_THAT(FindingsOf(Header("Node", "lb1, lables: {}")),
              ElementsAre(HasSubstr("metadata.lables: unknown field; did you mean \"labels\"?")));
  EXPECT_THAT(FindingsOf(Header("Node", "lb1") + "spec: {admin: {htp: x}}\n"),
              ElementsAre(HasSubstr("spec.admin.htp: unknown field; did you mean \"http\"?")));
}

TEST(ManifestDecoderTest, AnUnknownFieldLikeNoOtherTellsWhichThereAre) {
  EXPECT_THAT(FindingsOf(Header("Node", "lb1") + "spec: {admin: {zzzzzzzz: x}}\n"),
              ElementsAre(HasSubstr("spec.admin.zzzzzzzz: unknown field; there are http, https")));
}

TEST(ManifestDecoderTest, DuplicateKeysAreErrors) {
  EXPECT_THAT(
      FindingsOf(VipText("a", "  addresses: [10.0.0.1]\n  ports: \"80\"\n  ports: \"81\"\n")),
      ElementsAre(HasSubstr("test.yaml:7:3: error: VIP default/a: spec.ports: the field is "
                            "there twice")));
}

TEST(ManifestDecoderTest, MergeKeysAreUnknownFields) {
  EXPECT_THAT(FindingsOf(Header("Node", "lb1") + "spec: {<<: {interface: eth0}}\n"),
              ElementsAre(HasSubstr("spec.<<: unknown field")));
}

TEST(ManifestDecoderTest, LabelsAreStrings) {
  EXPECT_THAT(FindingsOf("apiVersion: lb.fairlead.dev/v1alpha1\nkind: RealServer\n"
                         "metadata: {name: a, labels: {x: true}}\nspec: {address: 10.0.0.1}\n"),
              ElementsAre(HasSubstr("metadata.labels.x: must be a string, not a boolean")));
}

TEST(ManifestDecoderTest, EmptyDocumentsAreNothing) {
  const DecodeResult result = Decode("---\n---\n# only a comment\n---\n");
  EXPECT_THAT(LinesOf(result.findings), IsEmpty());
  EXPECT_TRUE(result.complete);
}

TEST(ManifestDecoderTest, AFileWithOnlyACommentMeansNothing) {
  EXPECT_TRUE(Decode("# nothing\n").complete);
  EXPECT_THAT(FindingsOf("# nothing\n"), IsEmpty());
}

TEST(ManifestDecoderTest, AnEmptyFileIsAWriterAtWork) {
  for (const char* text : {"", "\n\n", "  \t\n"}) {
    EXPECT_FALSE(Decode(text).complete);
    EXPECT_THAT(FindingsOf(text), ElementsAre(HasSubstr("the file is empty")));
  }
}

TEST(ManifestDecoderTest, RefusesWhatIsNoText) {
  EXPECT_THAT(FindingsOf("kind: VIP\nname: B\xfcro\n"),
              ElementsAre(HasSubstr("test.yaml:2:8: error: byte 0xfc at offset 17")));
  EXPECT_THAT(FindingsOf(absl::string_view("kind: \0", 7)), ElementsAre(HasSubstr("NUL byte")));
  EXPECT_FALSE(Decode(absl::string_view("\0", 1)).complete);
  // UTF-16 with a byte order mark.
  EXPECT_THAT(FindingsOf(absl::string_view("\xff\xfek\0", 4)), ElementsAre(HasSubstr("not UTF-8")));
}

TEST(ManifestDecoderTest, RefusesHugeFiles) {
  const std::string text(kManifestBytesMax + 1, '#');
  EXPECT_THAT(FindingsOf(text), ElementsAre(HasSubstr("10485761 bytes > 10485760")));
}

TEST(ManifestDecoderTest, RefusesBombsAndKeepsTheOtherDocuments) {
  const DecodeResult result =
      Decode(absl::StrCat(GoodVipText("a", "10.0.0.1"), "---\na: &a [x]\nb: [*a, *a]\n---\n",
                          std::string(100'000, '[')));
  EXPECT_THAT(NamesOf(result.vips), ElementsAre("a"));
  EXPECT_THAT(LinesOf(result.findings),
              ElementsAre(HasSubstr("aliases"), HasSubstr("nested deeper than 32")));
}

TEST(ManifestDecoderTest, HostileNamesCannotSteerATerminal) {
  for (const std::string& line : FindingsOf(
           "apiVersion: lb.fairlead.dev/v1alpha1\nkind: \"\\e[2J\"\n"
           "metadata: {name: \"x\\ny\"}\n\"\\e]0;\": 1\n---\n" +
           Header("VIP", "\"a\\e[2Jb\"") + "spec: {\"\\e[1m\": 1}\n---\n" +
           Header("RealServer", "a, labels: {\"x\\ny\": z}") + "spec: {address: 10.0.0.1}\n")) {
    EXPECT_EQ(line.find_first_of("\033\n"), std::string::npos) << line;
  }
}

TEST(ManifestDecoderTest, TellsAtMostAHundredProblemsOfAnObject) {
  std::string spec = "  addresses: [";
  for (int i = 0; i < 1000; ++i) spec += "x,";
  EXPECT_LE(FindingsOf(VipText("a", spec + "]\n")).size(), 105u);
  EXPECT_THAT(FindingsOf(VipText("a", spec + "]\n")),
              Contains(HasSubstr("more than 100 problems")));
}

TEST(ManifestDecoderTest, TheCacheChangesNothingButTheWork) {
  const std::string a = GoodVipText("a", "10.0.0.1");
  const std::string b = VipText("b", "  prots: 1\n");
  DocumentCache cache;
  DecodeManifests(absl::StrCat(a, "---\n", b), "test.yaml", &cache);
  EXPECT_EQ(cache.size(), 2u);
  const std::string moved = absl::StrCat("# one line more\n---\n# and more\n---\n", b, "---\n", a);
  const DecodeResult cached = DecodeManifests(moved, "test.yaml", &cache);
  const DecodeResult fresh = Decode(moved);
  EXPECT_EQ(cached.vips, fresh.vips);
  EXPECT_EQ(cached.findings, fresh.findings);
  EXPECT_EQ(cached.rejected, fresh.rejected);
  EXPECT_EQ(cached.complete, fresh.complete);
}

TEST(ManifestDecoderTest, ADocumentThatIsThereTwiceIsDecodedTwiceAlsoFromTheCache) {
  const std::string twice = absl::StrCat(Header("VIP", "a"), "---\n", Header("VIP", "a"));
  DocumentCache cache;
  const DecodeResult fresh = DecodeManifests(twice, "test.yaml", &cache);
  const DecodeResult cached = DecodeManifests(twice, "test.yaml", &cache);
  EXPECT_EQ(fresh.rejected.size(), 2u);
  EXPECT_EQ(cached.rejected, fresh.rejected);
  EXPECT_EQ(cached.findings, fresh.findings);
}

}  // namespace
}  // namespace fairlead::source
