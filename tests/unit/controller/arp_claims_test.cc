// Rounds of the ARP watch through the reconciler: who is named, in the view and in the events.
#include "tests/unit/controller/reconciler_testing.h"

namespace fairlead::controller {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ArpClaimsTest : public ReconcilerTest {
 protected:
  ArpClaimsTest() { desired_.vips[0].mode = model::Mode::kDr; }

  static net::MacAddress Mac(uint8_t number) { return {2, 0, 0, 0, 0, number}; }

  // srv-1 and srv-2 have the MACs 1 and 2.
  void ApplyAndKnow() {
    Apply();
    dataplane::PlaneObservation observation;
    for (const auto& service : plane_.plans().back()->services) {
      auto& observed = observation.services.emplace_back();
      observed.service_id = service->id;
      for (size_t i = 0; i < service->servers.size(); ++i) {
        auto& server = observed.servers.emplace_back();
        server.server_id = service->servers[i].id;
        server.direct_path =
            dataplane::DirectPath{.ifindex = 3, .mac = Mac(static_cast<uint8_t>(i + 1))};
      }
    }
    plane_.SetObservation(observation);
    Pass();
  }
  void Pass() {
    clock_.Advance(Reconciler::kTick);
    reconciler_->Turn();
  }
  void Round(std::set<arp::Claim> claims, std::string problem = "") {
    reconciler_->SetRound({.asked = {vip_}, .claims = std::move(claims), .problem = problem});
    Pass();
  }

  const net::IpAddress vip_ = *net::IpAddress::Parse("10.0.0.1");
};

TEST_F(ArpClaimsTest, WatchesVipsInDirectRoutingWhereTheirServersAre) {
  ApplyAndKnow();
  ASSERT_EQ(arp_.vips().size(), 1u);
  EXPECT_EQ(arp_.vips()[0].address, vip_);
  EXPECT_EQ(arp_.vips()[0].ifindexes, std::set<uint32_t>{3});
  desired_.vips[0].mode = model::Mode::kAuto;
  Apply();
  EXPECT_EQ(arp_.vips().size(), 1u);
  desired_.vips[0].enabled = false;
  Apply();
  EXPECT_THAT(arp_.vips(), IsEmpty());
  desired_.vips[0].enabled = true;
  desired_.vips[0].mode = model::Mode::kSnat;
  Apply();
  EXPECT_THAT(arp_.vips(), IsEmpty());
}

TEST_F(ArpClaimsTest, NamesTheServerFromTheBeginningToTheEnd) {
  ApplyAndKnow();
  Round({});
  EXPECT_EQ(Server(1).arp_problem, "");
  Round({{vip_, Mac(2)}});
  EXPECT_THAT(Server(1).arp_problem,
              AllOf(HasSubstr("real server srv-2, MAC 02:00:00:00:00:02, answers ARP for 10.0.0.1"),
                    HasSubstr("prepare-realserver --os linux (or windows) --vip 10.0.0.1")));
  EXPECT_EQ(Server(0).arp_problem, "");
  EXPECT_EQ(reconciler_->View()->vips[0].arp_problem, Server(1).arp_problem);
  EXPECT_EQ(reconciler_->View()->vips[0].arp_unknown_hosts, 0u);
  EXPECT_THAT(ReasonOf("real server answers ARP for the VIP"), HasSubstr("srv-2"));
  Round({{vip_, Mac(2)}});  // no news
  Round({});
  EXPECT_EQ(Server(1).arp_problem, "");
  const std::vector<std::string> messages = EventMessages();
  EXPECT_EQ(std::count(messages.begin(), messages.end(), "real server answers ARP for the VIP"), 1);
  EXPECT_THAT(messages, Contains("real server does not answer ARP for the VIP any more"));
}

TEST_F(ArpClaimsTest, AnotherBalancerIsCalledNoRealServer) {
  ApplyAndKnow();
  Round({{vip_, Mac(9)}});
  EXPECT_EQ(Server(0).arp_problem, "");
  EXPECT_EQ(Server(1).arp_problem, "");
  EXPECT_THAT(reconciler_->View()->vips[0].arp_problem,
              AllOf(HasSubstr("unknown host, MAC 02:00:00:00:00:09"), HasSubstr("balancer")));
  EXPECT_EQ(reconciler_->View()->vips[0].arp_unknown_hosts, 1u);
  EXPECT_THAT(EventMessages(), Contains("unknown host answers ARP for the VIP"));
  EXPECT_THAT(EventMessages(), Not(Contains("real server answers ARP for the VIP")));
}

TEST_F(ArpClaimsTest, NamesAServerOfAnotherVip) {
  desired_.vips.push_back(MakeVip(3, "zzz"));
  desired_.vips[1].addresses = {*net::IpAddress::Parse("10.0.0.9")};
  desired_.vips[1].mode = model::Mode::kDr;
  ApplyAndKnow();
  Round({{vip_, Mac(3)}});
  EXPECT_THAT(reconciler_->View()->vips[0].arp_problem,
              HasSubstr("real server srv-3 of VIP default/zzz"));
  EXPECT_EQ(reconciler_->View()->vips[1].arp_problem, "");
}

TEST_F(ArpClaimsTest, OfWhatIsNotAskedForNothingIsSaid) {
  ApplyAndKnow();
  Round({{vip_, Mac(2)}});
  reconciler_->SetRound({.asked = {}, .claims = {}});
  Pass();
  EXPECT_EQ(Server(1).arp_problem, "");
  EXPECT_THAT(EventMessages(),
              Not(Contains("real server does not answer ARP for the VIP any more")));
}

TEST_F(ArpClaimsTest, SaysThatItCannotAsk) {
  ApplyAndKnow();
  Round({}, "packet sockets need CAP_NET_RAW");
  EXPECT_THAT(reconciler_->View()->warnings, Contains(HasSubstr("CAP_NET_RAW")));
  EXPECT_THAT(EventMessages(), Contains("cannot ask who answers ARP for the VIPs"));
  Round({});
  EXPECT_THAT(reconciler_->View()->warnings, Not(Contains(HasSubstr("CAP_NET_RAW"))));
}

}  // namespace
}  // namespace fairlead::controller
