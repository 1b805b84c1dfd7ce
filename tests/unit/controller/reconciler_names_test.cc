// Real servers that are declared by a host name: what the answers of the resolver do.
#include "pkg/controller/name_choice.h"
#include "tests/unit/controller/reconciler_testing.h"

namespace fairlead::controller {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kName[] = "print.example";

net::IpAddress Address(const char* text) { return *net::IpAddress::Parse(text); }

resolver::Answer AnswerOf(const std::vector<const char*>& addresses) {
  std::vector<net::IpAddress> parsed;
  for (const char* address : addresses) parsed.push_back(Address(address));
  return {kName, parsed};
}

resolver::Answer Failure(const char* message) { return {kName, absl::UnavailableError(message)}; }

// srv-1 has the host name, srv-2 an address.
class ReconcilerNamesTest : public ReconcilerTest {
 protected:
  ReconcilerNamesTest() {
    desired_.vips[0].inline_servers[0].spec.host_name = kName;
    desired_.vips[0].inline_servers[0].spec.address = net::IpAddress();
    Apply();
  }
  void Answer(const resolver::Answer& answer) {
    reconciler_->SetAnswer(answer);
    reconciler_->Turn();
  }
  void Tick() {
    clock_.Advance(Reconciler::kTick);
    reconciler_->Turn();
  }
};

TEST_F(ReconcilerNamesTest, AServerIsNotUsedBeforeItsNameIsResolved) {
  EXPECT_THAT(resolver_.names(), ElementsAre(kName));
  EXPECT_THAT(health_.target_ids(), ElementsAre(kTarget2));
  EXPECT_EQ(Planned(0).eligibility, Eligibility::kNone);
  // It has no say in whether everything is Unknown.
  EXPECT_EQ(Planned(1).eligibility, Eligibility::kAll);
  EXPECT_EQ(Server(0).health_reason, "its name has not been resolved yet");
  EXPECT_FALSE(Server(0).has_address());
}

TEST_F(ReconcilerNamesTest, TheResolvedAddressIsCheckedAndUsed) {
  Answer(AnswerOf({"10.0.1.1"}));
  EXPECT_THAT(health_.target_ids(), ElementsAre(kTarget1, kTarget2));
  AllUp();
  EXPECT_EQ(Planned(0).address, Address("10.0.1.1"));
  EXPECT_EQ(Planned(0).host_name, kName);
  EXPECT_EQ(Planned(0).eligibility, Eligibility::kAll);
  EXPECT_EQ(Server(0).address, Address("10.0.1.1"));
  EXPECT_EQ(Server(0).host_name, kName);
  EXPECT_THAT(EventMessages(), Contains("real server's name is resolved"));
}

TEST_F(ReconcilerNamesTest, AFailureFromTheStartIsShownWithItsReason) {
  Answer(Failure("no name server answers"));
  Tick();
  EXPECT_EQ(Server(0).health_reason, "name does not resolve: no name server answers (for 1s)");
  EXPECT_EQ(Planned(0).eligibility, Eligibility::kNone);
  EXPECT_THAT(ReasonOf("real server's name does not resolve"),
              HasSubstr("the server is not used until it does"));
}

TEST_F(ReconcilerNamesTest, AnOutageKeepsTheLastAddress) {
  Answer(AnswerOf({"10.0.1.1"}));
  AllUp();
  const size_t plans = plane_.plans().size();
  Answer(Failure("no name server answers"));
  Answer(Failure("no name server answers"));
  for (int i = 0; i < 3; ++i) Tick();
  EXPECT_EQ(plane_.plans().size(), plans);
  EXPECT_EQ(Planned(0).eligibility, Eligibility::kAll);
  EXPECT_EQ(Server(0).name_problem, "no name server answers");
  EXPECT_THAT(Server(0).health_reason,
              HasSubstr("at its last known address: the name has not resolved for 3s"));
  EXPECT_THAT(EventMessages(), Contains("real server's name does not resolve").Times(1));
  EXPECT_THAT(ReasonOf("real server's name does not resolve"),
              HasSubstr("its last known address 10.0.1.1 stays in use"));
  Answer(AnswerOf({"10.0.1.1"}));
  Tick();
  EXPECT_EQ(Server(0).name_problem, "");
  EXPECT_EQ(plane_.plans().size(), plans);
  EXPECT_THAT(EventMessages(), Contains("real server's name resolves again"));
}

TEST_F(ReconcilerNamesTest, AChangedRecordMovesTheServerAndNoOther) {
  Answer(AnswerOf({"10.0.1.1"}));
  AllUp();
  Answer(AnswerOf({"10.0.1.7", "10.0.1.8"}));
  EXPECT_EQ(Planned(0).address, Address("10.0.1.7"));
  EXPECT_EQ(Server(0).health, OperationalState::kUnknown);
  EXPECT_EQ(Server(1).health, OperationalState::kUp);
  EXPECT_THAT(health_.target_ids(), ElementsAre("default/web srv-1 10.0.1.7:80", kTarget2));
  EXPECT_EQ(ReasonOf("real server's address has changed"),
            "print.example: 10.0.1.1 -> 10.0.1.7 (the name resolves to 10.0.1.7, 10.0.1.8); new "
            "connections go there, established ones stay");
}

TEST_F(ReconcilerNamesTest, TheNameOfAServerThatIsDownIsUrgent) {
  Answer(AnswerOf({"10.0.1.1"}));
  AllUp();
  Report(kTarget1, OperationalState::kDown);
  EXPECT_THAT(resolver_.names(), ElementsAre("print.example!"));
  Answer(AnswerOf({"10.0.1.7"}));
  EXPECT_THAT(resolver_.names(), ElementsAre(kName));
}

TEST_F(ReconcilerNamesTest, AnOperatorsStateStaysWithTheNameWhateverItsAddress) {
  Answer(AnswerOf({"10.0.1.1"}));
  Set("srv-1", AdminState::kDrain);
  Answer(AnswerOf({"10.0.1.7"}));
  EXPECT_EQ(Server(0).admin, AdminState::kDrain);
  Restart();
  Apply();
  EXPECT_EQ(Server(0).admin, AdminState::kDrain);
  desired_.vips[0].inline_servers[0].spec.host_name = "other.example";
  Apply();
  EXPECT_EQ(Server(0).admin, AdminState::kOnline);
  EXPECT_THAT(resolver_.names(), ElementsAre("other.example"));
}

TEST_F(ReconcilerNamesTest, AServerThatTakesAKnownNameHasItsAddressAtOnce) {
  Answer(AnswerOf({"10.0.1.1"}));
  desired_.vips.push_back(MakeVip(1, "web2"));
  desired_.vips[1].addresses = {Address("10.0.0.2")};
  desired_.vips[1].inline_servers[0].spec.host_name = kName;
  Apply();
  EXPECT_EQ(reconciler_->View()->vips.at(1).servers.at(0).address, Address("10.0.1.1"));
}

TEST_F(ReconcilerNamesTest, AnAddressInPlaceOfTheNameForgetsTheName) {
  Answer(AnswerOf({"10.0.1.1"}));
  desired_.vips[0].inline_servers[0].spec.host_name.clear();
  desired_.vips[0].inline_servers[0].spec.address = Address("10.0.1.5");
  Apply();
  EXPECT_THAT(resolver_.names(), IsEmpty());
  EXPECT_EQ(Planned(0).address, Address("10.0.1.5"));
  Answer(AnswerOf({"10.0.1.7"}));
  EXPECT_EQ(Planned(0).address, Address("10.0.1.5"));
}

TEST_F(ReconcilerNamesTest, IsFoundByItsNameAndByItsAddress) {
  Answer(AnswerOf({"10.0.1.1"}));
  for (const char* word : {kName, "10.0.1.1"}) {
    const auto found =
        reconciler_->SetState({.vip = "", .server = word, .state = AdminState::kDrain});
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->changes.at(0).server, "srv-1");
  }
}

TEST(NameChoiceTest, KeepsTheCurrentAddressWhileItIsInTheAnswer) {
  const model::Vip vip = MakeVip(0);
  EXPECT_EQ(ChooseAddress(vip, {}, {}, AnswerOf({"10.0.1.1", "10.0.1.2"})).address,
            Address("10.0.1.1"));
  EXPECT_EQ(ChooseAddress(vip, {}, Address("10.0.1.2"), AnswerOf({"10.0.1.1", "10.0.1.2"})).address,
            Address("10.0.1.2"));
  EXPECT_EQ(ChooseAddress(vip, {}, Address("10.0.1.9"), AnswerOf({"10.0.1.1", "10.0.1.2"})).address,
            Address("10.0.1.1"));
}

TEST(NameChoiceTest, LeavesOutWhatTheVipCannotUse) {
  model::Vip vip = MakeVip(0);
  // The VIP's own address would be a loop.
  EXPECT_EQ(ChooseAddress(vip, {}, {}, AnswerOf({"10.0.0.1", "10.0.1.2"})).address,
            Address("10.0.1.2"));
  vip.source.type = model::SourceAddress::Type::kVip;
  const NameChoice choice = ChooseAddress(vip, {}, Address("10.0.1.2"), AnswerOf({"fd00::1"}));
  EXPECT_EQ(choice.address, Address("10.0.1.2"));
  EXPECT_THAT(choice.problem, HasSubstr("it is fd00::1: the server is IPv6 but"));
  EXPECT_THAT(ChooseAddress(vip, {}, {}, AnswerOf({"0.0.0.0"})).problem, HasSubstr("unspecified"));
}

}  // namespace
}  // namespace fairlead::controller
