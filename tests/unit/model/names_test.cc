#include "pkg/model/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::model {
namespace {

using ::testing::HasSubstr;

TEST(NamesTest, AcceptsRfc1123Subdomains) {
  for (const std::string& name : {std::string("a"), std::string("paragon-srv-1"),
                                  std::string("1a.b-c.d"), std::string(253, 'x')}) {
    EXPECT_EQ(NameProblem(name), "") << name;
  }
}

TEST(NamesTest, RejectsEverythingElse) {
  for (const std::string& name :
       {std::string(), std::string("A"), std::string("a_b"), std::string("-a"), std::string("a-"),
        std::string(".a"), std::string("a..b"), std::string("a/b"), std::string("a b"),
        std::string("a\nb"), std::string("\xc3\xa9"), std::string("a\0b", 3),
        std::string(254, 'x')}) {
    EXPECT_NE(NameProblem(name), "") << name;
  }
}

TEST(HostNameTest, AcceptsRfc1123Names) {
  const std::string label(63, 'x');
  for (const std::string& name : {std::string("print1"), std::string("Print-1.Example.com"),
                                  std::string("3com.example"), std::string("print1.example."),
                                  label + "." + label + "." + label + "." + label.substr(2)}) {
    EXPECT_EQ(HostNameProblem(name), "") << name;
  }
}

TEST(HostNameTest, RejectsEverythingElse) {
  const std::string label(63, 'x');
  for (const std::string& name :
       {std::string(), std::string("."), std::string("a..b"), std::string("-a.b"),
        std::string("a-.b"), std::string("print_1"), std::string("a b"), std::string("10.0.0.256"),
        std::string("print.1"), std::string("\xc3\xa9.example"), label + "x.example",
        label + "." + label + "." + label + "." + label}) {
    EXPECT_THAT(HostNameProblem(name), HasSubstr("RFC 1123")) << name;
  }
}

TEST(NamesTest, SaysWhichNameWouldDo) {
  EXPECT_THAT(NameProblem("Paragon_SRV_1"), HasSubstr("write \"paragon-srv-1\""));
  EXPECT_THAT(NameProblem("---"), Not(HasSubstr("write")));
}

TEST(NamesTest, NamespacesAreOneLabelOfAtMost63Bytes) {
  EXPECT_EQ(NamespaceProblem("default"), "");
  EXPECT_EQ(NamespaceProblem(std::string(63, 'a')), "");
  EXPECT_NE(NamespaceProblem(std::string(64, 'a')), "");
  EXPECT_NE(NamespaceProblem("a.b"), "");
  EXPECT_NE(NamespaceProblem(""), "");
  EXPECT_NE(NamespaceProblem("Default"), "");
}

TEST(NamesTest, LabelKeysMayHaveAPrefix) {
  EXPECT_EQ(LabelKeyProblem("lb.fairlead.dev/vip"), "");
  EXPECT_EQ(LabelKeyProblem("App_1.x"), "");
  EXPECT_NE(LabelKeyProblem("/vip"), "");
  EXPECT_NE(LabelKeyProblem("A/vip"), "");
  EXPECT_NE(LabelKeyProblem("a/b/c"), "");
  EXPECT_NE(LabelKeyProblem(""), "");
  EXPECT_NE(LabelKeyProblem("a/" + std::string(64, 'x')), "");
}

TEST(NamesTest, LabelValuesMayBeEmpty) {
  EXPECT_EQ(LabelValueProblem(""), "");
  EXPECT_EQ(LabelValueProblem("Dispatcher_1.a"), "");
  EXPECT_EQ(LabelValueProblem(std::string(63, 'x')), "");
  EXPECT_NE(LabelValueProblem(std::string(64, 'x')), "");
  EXPECT_NE(LabelValueProblem("a b"), "");
  EXPECT_NE(LabelValueProblem("-a"), "");
}

}  // namespace
}  // namespace fairlead::model
