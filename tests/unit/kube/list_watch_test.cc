// The protocol without a network: each test plays the server, request by request.
#include "pkg/kube/list_watch.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::kube {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class FakeClock final : public base::Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1'800'000'000) + since; }
  absl::Duration Monotonic() const override { return absl::Hours(1) + since; }
  absl::Duration since;
};

// Writes down what it is told, in the order of the calls.
class Record final : public ReflectorSink {
 public:
  void OnReplace(std::vector<KubeObjectPtr> objects) override {
    std::vector<std::string> names;
    for (const auto& object : objects) {
      names.push_back(absl::StrCat(object->name, "@", object->resource_version));
    }
    calls.push_back(absl::StrCat("replace ", absl::StrJoin(names, " ")));
  }
  void OnUpsert(KubeObjectPtr object) override {
    calls.push_back(absl::StrCat("upsert ", object->name, "@", object->resource_version));
  }
  void OnDelete(const std::string& name_space, const std::string& name) override {
    calls.push_back(absl::StrCat("delete ", name_space, "/", name));
  }
  void OnHealth() override { ++health_calls; }

  std::vector<std::string> TakeCalls() { return std::exchange(calls, {}); }
  std::vector<std::string> calls;
  int health_calls = 0;
};

std::string Object(const std::string& name, int version) {
  return absl::StrCat(R"({"metadata":{"namespace":"default","name":")", name,
                      R"(","resourceVersion":")", version,
                      R"(","managedFields":[{"manager":"x"}],"generation":3},"spec":{}})");
}
std::string Event(const std::string& type, const std::string& name, int version) {
  return absl::StrCat(R"({"type":")", type, R"(","object":)", Object(name, version), "}");
}
std::string Bookmark(int version, bool ends = false) {
  return absl::StrCat(R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":")", version,
                      "\"", ends ? R"(,"annotations":{"k8s.io/initial-events-end":"true"})" : "",
                      "}}}");
}
std::string List(int version, const std::vector<std::string>& items,
                 const std::string& token = "") {
  return absl::StrCat(R"({"metadata":{"resourceVersion":")", version, R"(","continue":")", token,
                      R"("},"items":[)", absl::StrJoin(items, ","), "]}");
}
ApiResponse Response(int status, const std::string& body = "") { return {status, body, {}}; }
ApiResponse Refusal(int status, const std::string& reason, const std::string& cause = "") {
  return Response(
      status,
      absl::StrCat(R"({"kind":"Status","code":)", status, R"(,"reason":")", reason,
                   R"(","message":"no","details":{"causes":[{"reason":")", cause, R"("}]}})"));
}
const ApiResponse kTooLarge = Refusal(504, "Timeout", "ResourceVersionTooLarge");

class ListWatchTest : public ::testing::Test {
 protected:
  explicit ListWatchTest(ReflectorOptions options = {})
      : list_watch_(
            kVips, std::move(options), "https://a", clock_, [] { return 0.5; }, record_) {}

  // The next request, which must be of this kind. Returns its query.
  std::map<std::string, std::string> Expect(const std::string& kind) {
    const ListWatch::Step step = list_watch_.Next();
    clock_.since += step.wait;
    wait_ = step.wait;
    request_ = step.request;
    std::map<std::string, std::string> query;
    const size_t mark = step.request.target.find('?');
    for (const absl::string_view part :
         absl::StrSplit(absl::string_view(step.request.target).substr(mark + 1), '&')) {
      const std::pair<std::string, std::string> item =
          absl::StrSplit(part, absl::MaxSplits('=', 1));
      query.insert(item);
    }
    const std::string found = query.contains("sendInitialEvents")              ? "stream"
                              : query.contains("watch")                        ? "watch"
                              : absl::StrContains(request_.target, "limit=1&") ? "check"
                                                                               : "list";
    EXPECT_EQ(found, kind) << step.request.target;
    EXPECT_EQ(step.streams, kind == "stream" || kind == "watch");
    return query;
  }
  // A 2xx stream with these lines that ends after `lasts`.
  void Stream(const std::vector<std::string>& lines, absl::Duration lasts = absl::Seconds(400)) {
    list_watch_.OnOpen();
    for (const std::string& line : lines) {
      if (!list_watch_.OnLine(line)) break;
    }
    clock_.since += lasts;
    list_watch_.OnEnd(Response(200));
  }
  void Answer(const absl::StatusOr<ApiResponse>& result) { list_watch_.OnEnd(result); }
  // Up to a complete copy {a@10} at version 20, by a list. A watch comes next.
  void Sync() {
    Expect("stream");
    Answer(Refusal(422, "Invalid"));
    Expect("list");
    Answer(Response(200, List(20, {Object("a", 10)})));
    EXPECT_THAT(record_.TakeCalls(), ElementsAre("replace a@10"));
  }

  FakeClock clock_;
  Record record_;
  ListWatch list_watch_;
  absl::Duration wait_;
  ApiRequest request_;
};

TEST_F(ListWatchTest, AStreamingListBecomesOneReplaceAndAWatchFromItsBookmark) {
  auto query = Expect("stream");
  EXPECT_EQ(query["resourceVersionMatch"], "NotOlderThan");
  EXPECT_EQ(query["allowWatchBookmarks"], "true");
  EXPECT_EQ(query["resourceVersion"], "0");
  Stream({Event("ADDED", "b", 7), Event("ADDED", "a", 5), Bookmark(6), Event("MODIFIED", "a", 8),
          Event("ADDED", "c", 9), Event("DELETED", "c", 10), Bookmark(10, /*ends=*/true),
          Event("ADDED", "late", 11)});
  EXPECT_THAT(record_.calls, ElementsAre("replace a@8 b@7"));
  EXPECT_TRUE(list_watch_.Health().synced);
  query = Expect("watch");
  EXPECT_EQ(query["resourceVersion"], "10");
  EXPECT_EQ(query["timeoutSeconds"], "445");  // 290 + 0.5 * 310
  EXPECT_EQ(request_.timeout, absl::Seconds(475));
  EXPECT_EQ(request_.silence_max, kWatchSilence);
}

TEST_F(ListWatchTest, NothingOfAStreamingListThatIsCutIsToldAndAPlainOneFollows) {
  Expect("stream");
  list_watch_.OnOpen();
  list_watch_.OnLine(Event("ADDED", "gone", 5));
  Answer(absl::UnavailableError("cut off"));
  EXPECT_THAT(record_.calls, ElementsAre());
  EXPECT_EQ(list_watch_.Health().problem, "cut off");
  Expect("list");
  EXPECT_EQ(wait_, absl::Milliseconds(600));
  Answer(Response(200, List(20, {Object("a", 10)})));
  EXPECT_THAT(record_.TakeCalls(), ElementsAre("replace a@10"));
  // The next time it may be had.
  Expect("watch");
  Stream({R"({"type":"ERROR","object":{"kind":"Status","code":410}})"});
  EXPECT_EQ(Expect("stream")["resourceVersion"], "20");
  Stream({Event("ADDED", "b", 30), Bookmark(31, true)});
  EXPECT_THAT(record_.calls, ElementsAre("replace b@30"));
}

TEST_F(ListWatchTest, AStreamingListThatIsRefusedByAnEventIsGivenUpForLists) {
  Expect("stream");
  Stream({R"({"type":"ERROR","object":{"kind":"Status","code":500,"message":"no progress"}})"});
  EXPECT_EQ(list_watch_.Health().failures_total, 0);
  Expect("list");
  Answer(Response(200, List(20, {Object("a", 10)})));
  Expect("watch");
  Answer(Refusal(410, "Gone"));
  Expect("list");
}

TEST_F(ListWatchTest, AServerWithoutStreamingListsIsListedInPages) {
  Expect("stream");
  Answer(Refusal(422, "Invalid"));
  auto query = Expect("list");
  EXPECT_EQ(query["resourceVersion"], "0");
  EXPECT_EQ(query["limit"], "500");
  Answer(Response(200, List(20, {Object("a", 1)}, "to/ken==")));
  query = Expect("list");
  EXPECT_EQ(query["continue"], "to%2Fken%3D%3D");
  EXPECT_FALSE(query.contains("resourceVersion"));
  EXPECT_THAT(record_.calls, ElementsAre());
  Answer(Response(200, List(20, {Object("b", 2)})));
  EXPECT_THAT(record_.calls, ElementsAre("replace a@1 b@2"));
  EXPECT_EQ(Expect("watch")["resourceVersion"], "20");
  EXPECT_EQ(list_watch_.Health().failures_total, 0);
}

TEST_F(ListWatchTest, AStreamingListThatNeverEndsIsGivenUpForLists) {
  Expect("stream");
  list_watch_.OnOpen();
  Answer(absl::DeadlineExceededError("silent"));
  Expect("list");
  EXPECT_EQ(wait_, absl::ZeroDuration());
}

TEST_F(ListWatchTest, AnExpiredContinueTokenLeadsToOneConsistentListWithoutPages) {
  Expect("stream");
  Answer(Refusal(422, "Invalid"));
  Expect("list");
  Answer(Response(200, List(20, {Object("a", 1)}, "token")));
  Expect("list");
  Answer(Refusal(410, "Expired"));
  const auto query = Expect("list");
  EXPECT_FALSE(query.contains("limit") || query.contains("continue") ||
               query.contains("resourceVersion"));
  Answer(Response(200, List(30, {Object("b", 2)})));
  EXPECT_THAT(record_.calls, ElementsAre("replace b@2"));
}

TEST_F(ListWatchTest, EventsAreToldAndTheNextWatchGoesOnWhereTheyEnded) {
  Sync();
  Expect("watch");
  Stream({Event("ADDED", "b", 21), Event("MODIFIED", "a", 22), Event("DELETED", "b", 23),
          Bookmark(40)},
         absl::Seconds(445));
  EXPECT_THAT(record_.calls, ElementsAre("upsert b@21", "upsert a@22", "delete default/b"));
  EXPECT_EQ(Expect("watch")["resourceVersion"], "40");
  EXPECT_EQ(wait_, absl::ZeroDuration());
  EXPECT_EQ(list_watch_.Health().events_total, 4);
  EXPECT_EQ(list_watch_.Health().watches_total, 2);
}

TEST_F(ListWatchTest, AnOutageDeletesNothingAndTheWatchGoesOnAfterACheck) {
  Sync();
  Expect("watch");
  list_watch_.OnOpen();
  list_watch_.OnLine(Event("MODIFIED", "a", 25));
  Answer(absl::UnavailableError("GET https://a: cut off"));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Expect("check")["resourceVersion"], "25");
    EXPECT_LE(wait_, absl::Seconds(30));
    Answer(absl::UnavailableError("GET https://a: connection refused"));
  }
  EXPECT_GE(wait_, absl::Seconds(15));
  EXPECT_EQ(list_watch_.Health().problem, "GET https://a: connection refused");
  EXPECT_EQ(list_watch_.Health().failures_total, 21);
  Expect("check");
  Answer(Response(200, List(60, {})));  // its items are none of the copy's business
  EXPECT_EQ(Expect("watch")["resourceVersion"], "25");
  Stream({Event("DELETED", "a", 61)});
  EXPECT_THAT(record_.calls, ElementsAre("upsert a@25", "delete default/a"));
  EXPECT_EQ(list_watch_.Health().problem, "");
}

TEST_F(ListWatchTest, TheCopyIsCurrentWhileAWatchIsOpenAndNotLonger) {
  EXPECT_EQ(list_watch_.Health().current, absl::InfinitePast());
  Sync();
  Expect("watch");
  list_watch_.OnOpen();
  clock_.since += absl::Seconds(100);
  EXPECT_EQ(list_watch_.Health().current, clock_.Now());
  Answer(absl::UnavailableError("cut off"));
  const absl::Time cut = clock_.Now();
  clock_.since += absl::Hours(1);
  EXPECT_EQ(list_watch_.Health().current, cut);
}

TEST_F(ListWatchTest, AnExpiredVersionLeadsToAList) {
  Sync();
  Expect("watch");
  Stream({R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}})"});
  EXPECT_EQ(Expect("list")["resourceVersion"], "20");
  EXPECT_EQ(wait_, absl::ZeroDuration());
  Answer(Response(200, List(90, {Object("c", 80)})));
  EXPECT_THAT(record_.calls, ElementsAre("replace c@80"));
  EXPECT_EQ(Expect("watch")["resourceVersion"], "90");
}

TEST_F(ListWatchTest, AVersionThatExpiresAgainAndAgainIsNotAskedForInALoop) {
  Sync();
  for (int i = 0; i < 3; ++i) {
    Expect("watch");
    Stream({R"({"type":"ERROR","object":{"kind":"Status","code":410}})"}, absl::ZeroDuration());
    Expect("list");
    EXPECT_GE(wait_, absl::Milliseconds(400 << i));
    Answer(Response(200, List(90 + i, {})));
  }
}

TEST_F(ListWatchTest, GoneAsAStatusOfTheWatchLeadsToAListToo) {
  Sync();
  Expect("watch");
  Answer(Refusal(410, "Gone"));
  EXPECT_EQ(Expect("list")["resourceVersion"], "20");
  Answer(Refusal(410, "Expired"));
  const auto query = Expect("list");
  EXPECT_FALSE(query.contains("resourceVersion"));
  Answer(Response(200, List(90, {})));
  EXPECT_THAT(record_.calls, ElementsAre("replace "));
}

TEST_F(ListWatchTest, AServerThatEndsAWatchEarlyIsAskedWhetherItHasTheVersion) {
  Sync();
  Expect("watch");
  Stream({}, absl::Seconds(100));  // it restarts
  const auto query = Expect("check");
  EXPECT_EQ(query.at("resourceVersion"), "20");
  EXPECT_EQ(query.at("resourceVersionMatch"), "NotOlderThan");
  EXPECT_EQ(wait_, absl::ZeroDuration());
  Answer(Response(200, List(20, {})));
  Expect("watch");
  EXPECT_THAT(record_.calls, ElementsAre());
}

TEST_F(ListWatchTest, AnEtcdThatWasRestoredIsListedConsistently) {
  Sync();
  Expect("watch");
  Stream({}, absl::Seconds(100));
  Expect("check");
  Answer(kTooLarge);
  const auto query = Expect("list");
  EXPECT_FALSE(query.contains("resourceVersion"));
  Answer(Response(200, List(12, {Object("old", 11)})));
  EXPECT_THAT(record_.calls, ElementsAre("replace old@11"));
  EXPECT_EQ(Expect("watch")["resourceVersion"], "12");
}

TEST_F(ListWatchTest, AListWhoseVersionIsTooLargeIsMadeConsistent) {
  Sync();
  Expect("watch");
  Answer(Refusal(410, "Gone"));
  Expect("list");
  Answer(
      Response(504, R"({"kind":"Status","code":504,"message":"Too large resource version: 9"})"));
  EXPECT_FALSE(Expect("list").contains("resourceVersion"));
}

TEST_F(ListWatchTest, ASilentWatchIsCheckedWithoutBeingAFailure) {
  Sync();
  Expect("watch");
  list_watch_.OnOpen();
  Answer(absl::DeadlineExceededError("silent for 150 s"));
  Expect("check");
  EXPECT_EQ(wait_, absl::ZeroDuration());
  EXPECT_EQ(list_watch_.Health().failures_total, 0);
}

TEST_F(ListWatchTest, AWatchThatEndsAtOnceIsAFailure) {
  Sync();
  Expect("watch");
  Stream({}, absl::Milliseconds(100));
  EXPECT_THAT(list_watch_.Health().problem, HasSubstr("ended the watch at once"));
  Expect("check");
  EXPECT_GT(wait_, absl::ZeroDuration());
}

TEST_F(ListWatchTest, ABrokenLineLeadsToAListAndIsTold) {
  Sync();
  Expect("watch");
  Stream({Event("ADDED", "b", 21), R"({"type":"MODIFIED","object":{"metadata":{"na)"});
  EXPECT_THAT(list_watch_.Health().problem,
              HasSubstr("https://a: a line of the watch is no event"));
  Expect("list");
  EXPECT_GT(wait_, absl::ZeroDuration());
  EXPECT_THAT(record_.calls, ElementsAre("upsert b@21"));
}

TEST_F(ListWatchTest, RetryAfterIsHonoured) {
  Sync();
  Expect("watch");
  ApiResponse busy = Refusal(429, "TooManyRequests");
  busy.retry_after = absl::Seconds(17);
  Answer(busy);
  Expect("check");
  EXPECT_EQ(wait_, absl::Seconds(17));
  busy.retry_after = absl::Hours(5);  // no server may silence its client for that long
  Answer(busy);
  Expect("check");
  EXPECT_EQ(wait_, absl::Minutes(5));
}

TEST_F(ListWatchTest, ATypeThatIsNotInstalledIsNamed) {
  Expect("stream");
  Answer(Refusal(404, "NotFound"));
  EXPECT_THAT(list_watch_.Health().problem,
              AllOf(HasSubstr("https://a: 404 NotFound"),
                    HasSubstr("is the type vips of lb.fairlead.dev/v1alpha1 installed?")));
  EXPECT_FALSE(list_watch_.Health().synced);
  Expect("list");
  EXPECT_GT(wait_, absl::ZeroDuration());
}

TEST_F(ListWatchTest, WhatIsNoListIsAFailureAndReplacesNothing) {
  Sync();
  Expect("watch");
  Answer(Refusal(410, "Gone"));
  for (const char* body : {"", "{}", "[]", "<html>proxy</html>", R"({"items":[]})",
                           R"({"metadata":{"resourceVersion":""},"items":[]})",
                           R"({"metadata":{"resourceVersion":"5"},"items":{}})",
                           R"({"metadata":{"resourceVersion":"5"},"items":[{}]})"}) {
    Expect("list");
    Answer(Response(200, body));
    EXPECT_NE(list_watch_.Health().problem, "") << body;
  }
  EXPECT_THAT(record_.calls, ElementsAre());
}

TEST_F(ListWatchTest, EverythingIsListedAgainAfterTenHours) {
  Sync();
  int watches_count = 0;
  while (true) {
    const ListWatch::Step step = list_watch_.Next();
    if (!absl::StrContains(step.request.target, "watch=true")) break;
    ++watches_count;
    Stream({}, absl::Seconds(445));
  }
  EXPECT_EQ(watches_count, 81);  // 36,000 s / 445 s
}

TEST_F(ListWatchTest, ObjectsComeWithTheirTypeAndWithoutManagedFields) {
  const auto list = DecodeList(List(5, {Object("a", 1)}), kVips);
  ASSERT_TRUE(list.ok()) << list.status();
  const KubeObject& object = *list->objects.front();
  EXPECT_EQ(object.json["kind"], "VIP");
  EXPECT_EQ(object.json["apiVersion"], "lb.fairlead.dev/v1alpha1");
  EXPECT_FALSE(object.json["metadata"].contains("managedFields"));
  EXPECT_EQ(object.generation, 3);
  EXPECT_EQ(object.name_space, "default");
}

class SelectedListWatchTest : public ListWatchTest {
 protected:
  SelectedListWatchTest() : ListWatchTest({"print", "app in (a,b)"}) {}
};

TEST_F(SelectedListWatchTest, EachRequestIsOfTheNamespaceAndTheLabels) {
  const auto check = [&](const char* kind) {
    EXPECT_EQ(Expect(kind)["labelSelector"], "app%20in%20%28a%2Cb%29");
    EXPECT_THAT(request_.target, HasSubstr("/namespaces/print/vips?"));
  };
  check("stream");
  Answer(Refusal(422, "Invalid"));
  check("list");
  Answer(Response(200, List(20, {})));
  check("watch");
  Answer(absl::UnavailableError("cut"));
  check("check");
}

}  // namespace
}  // namespace fairlead::kube
