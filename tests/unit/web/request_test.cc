#include "pkg/web/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/web/board.h"

namespace fairlead::web {
namespace {

using testing::ElementsAre;
using testing::Optional;
using testing::Pair;

TEST(CookieTest, FindsTheWholeNameOnly) {
  EXPECT_EQ(CookieOf("a=1; session=abc; b=2", "session"), "abc");
  EXPECT_EQ(CookieOf("session=abc", "session"), "abc");
  EXPECT_EQ(CookieOf("xsession=evil; session=abc", "session"), "abc");
  EXPECT_EQ(CookieOf("sessions=evil", "session"), "");
  EXPECT_EQ(CookieOf("session", "session"), "");
  EXPECT_EQ(CookieOf("", "session"), "");
  EXPECT_EQ(CookieOf("session=" + std::string(129, 'x'), "session"), "");
}

TEST(OriginTest, IsOursOverHttpsAlone) {
  EXPECT_TRUE(IsOwnOrigin("https://lb1:9443", "lb1:9443"));
  EXPECT_TRUE(IsOwnOrigin("https://LB1:9443", "lb1:9443"));
  EXPECT_TRUE(IsOwnOrigin("", "lb1:9443"));  // no page sent it
  EXPECT_FALSE(IsOwnOrigin("http://lb1:9443", "lb1:9443"));
  EXPECT_FALSE(IsOwnOrigin("https://lb1", "lb1:9443"));
  EXPECT_FALSE(IsOwnOrigin("https://evil", "lb1:9443"));
  EXPECT_FALSE(IsOwnOrigin("null", "lb1:9443"));
  EXPECT_FALSE(IsOwnOrigin("https://", ""));
}

TEST(FieldsTest, AreStringsOfOneObject) {
  EXPECT_THAT(ParseFields(R"({"user": "a", "password": "\u00e4"})"),
              Optional(ElementsAre(Pair("password", "\xc3\xa4"), Pair("user", "a"))));
  for (const char* body : {"", "{", "[]", "3", "\"a\"", R"({"user": 3})", R"({"user": null})",
                           R"({"user": {"a": "b"}})", R"({"user": "a"} x)"}) {
    EXPECT_EQ(ParseFields(body), std::nullopt) << body;
  }
}

TEST(BoardTest, SendsWhatChangedSince) {
  Board board;
  board.Update({{"a", "1"}, {"b", "2"}});
  EXPECT_TRUE(board.NeedsAll(0));
  EXPECT_EQ(board.ChangedSince(0), "[1,2]");
  const uint64_t seen = board.revision();
  EXPECT_EQ(board.ChangedSince(seen), "[]");
  board.Update({{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(board.revision(), seen);
  board.Update({{"a", "1"}, {"b", "3"}});
  EXPECT_FALSE(board.NeedsAll(seen));
  EXPECT_EQ(board.ChangedSince(seen), "[3]");
}

TEST(BoardTest, SendsAllWhenEntriesComeGoOrMove) {
  Board board;
  board.Update({{"a", "1"}, {"b", "2"}});
  uint64_t seen = board.revision();
  board.Update({{"b", "2"}, {"a", "1"}});
  EXPECT_TRUE(board.NeedsAll(seen));
  EXPECT_EQ(board.ChangedSince(seen), "[2,1]");
  seen = board.revision();
  board.Update({{"b", "2"}});
  EXPECT_EQ(board.ChangedSince(seen), "[2]");
  // Of another process: more than there is.
  EXPECT_TRUE(board.NeedsAll(board.revision() + 1));
}

}  // namespace
}  // namespace fairlead::web
