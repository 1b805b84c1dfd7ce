#include "pkg/kube/node_lease.h"

#include "absl/strings/str_cat.h"
#include "pkg/kube/lease_record.h"
#include "tests/unit/kube/kube_testing.h"
#include "tests/unit/kube/scripted_client.h"
#include "tests/unit/kube/still_clock.h"

namespace fairlead::kube {
namespace {

using ::testing::ElementsAre;

constexpr char kCollection[] = "/apis/coordination.k8s.io/v1/namespaces/lb/leases";

// One Lease as an API server keeps it.
class LeaseServer {
 public:
  ApiResponse Answer(const ApiRequest& request) {
    calls.push_back(request.method);
    if (request.method == "GET") {
      return stored.is_null() ? ApiResponse{404, "{}", {}} : ApiResponse{200, stored.dump(), {}};
    }
    if (request.method == "DELETE") {
      stored = nullptr;
      return {200, "{}", {}};
    }
    Json sent = Json::parse(request.body);
    const std::string version = StringAt(stored, {"metadata", "resourceVersion"});
    const bool is_create = request.method == "POST";
    if (is_create != stored.is_null()) return {is_create ? 409 : 404, "{}", {}};
    if (!is_create && StringAt(sent, {"metadata", "resourceVersion"}) != version) {
      return {409, "{}", {}};
    }
    return {is_create ? 201 : 200, Store(std::move(sent)).dump(), {}};
  }
  Json Store(Json lease) {
    lease["metadata"]["resourceVersion"] = std::to_string(++version_);
    stored = std::move(lease);
    return stored;
  }

  Json stored;
  std::vector<std::string> calls;

 private:
  int version_ = 0;
};

class NodeLeaseTest : public testing::Test {
 protected:
  NodeLeaseTest() {
    client_.Set([this](const ApiRequest& request) { return server_.Answer(request); });
  }
  // Somebody else has renewed it.
  void Touch(const std::string& holder) {
    Json lease = server_.stored;
    lease["spec"]["holderIdentity"] = holder;
    server_.Store(std::move(lease));
  }
  absl::Status TurnLater(NodeLease& lease) {
    clock_.Advance(NodeLease::kInterval);
    server_.calls.clear();
    return lease.Turn();
  }

  StillClock clock_;
  LeaseServer server_;
  ScriptedClient client_;
  NodeIdentity identity_ = {"n1", "lb", "pod-1", "pod-1", "uid-1"};
  NodeLease lease_{client_, clock_, identity_};
};

TEST_F(NodeLeaseTest, IsMadeAndRenewedInTime) {
  ASSERT_TRUE(lease_.Turn().ok());
  EXPECT_THAT(server_.calls, ElementsAre("GET", "POST"));
  EXPECT_EQ(client_.requests[1].target, kCollection);
  const Json& made = server_.stored;
  EXPECT_EQ(made["metadata"]["name"], "fairlead-node-n1");
  EXPECT_EQ(made["metadata"]["labels"]["lb.fairlead.dev/role"], "node");
  EXPECT_EQ(made["metadata"]["ownerReferences"][0]["uid"], "uid-1");
  EXPECT_EQ(made["spec"]["holderIdentity"], "pod-1");
  EXPECT_EQ(made["spec"]["leaseDurationSeconds"], 40);
  EXPECT_EQ(made["spec"]["leaseTransitions"], 0);
  const std::string acquired = made["spec"]["acquireTime"];

  ASSERT_TRUE(lease_.Turn().ok());  // not due yet
  EXPECT_THAT(server_.calls, ElementsAre("GET", "POST"));
  ASSERT_TRUE(TurnLater(lease_).ok());
  EXPECT_THAT(server_.calls, ElementsAre("PUT"));
  EXPECT_EQ(client_.requests.back().target, absl::StrCat(kCollection, "/fairlead-node-n1"));
  EXPECT_EQ(server_.stored["spec"]["acquireTime"], acquired);
  EXPECT_EQ(server_.stored["spec"]["renewTime"], MicroTime(clock_.Now()));
}

TEST_F(NodeLeaseTest, APredecessorsLeaseIsTakenOver) {
  NodeLease before(client_, clock_, {"n1", "lb", "pod-0", "", ""});
  ASSERT_TRUE(before.Turn().ok());
  EXPECT_FALSE(server_.stored["metadata"].contains("ownerReferences"));
  ASSERT_TRUE(TurnLater(lease_).ok());
  EXPECT_EQ(server_.stored["spec"]["holderIdentity"], "pod-1");
  EXPECT_EQ(server_.stored["spec"]["leaseTransitions"], 1);
  ASSERT_TRUE(TurnLater(lease_).ok());
  EXPECT_FALSE(lease_.is_contested());
}

TEST_F(NodeLeaseTest, ALeaseThatIsGoneIsMadeAgain) {
  ASSERT_TRUE(lease_.Turn().ok());
  server_.stored = nullptr;
  ASSERT_TRUE(TurnLater(lease_).ok());
  EXPECT_THAT(server_.calls, ElementsAre("PUT", "GET", "POST"));
  EXPECT_FALSE(server_.stored.is_null());
}

TEST_F(NodeLeaseTest, TwoDaemonsWithOneNameNoticeIt) {
  ASSERT_TRUE(lease_.Turn().ok());
  Touch("pod-2");
  ASSERT_TRUE(TurnLater(lease_).ok());
  EXPECT_FALSE(lease_.is_contested());  // it may have been its last word
  Touch("pod-2");
  ASSERT_TRUE(TurnLater(lease_).ok());
  EXPECT_TRUE(lease_.is_contested());
  server_.calls.clear();
  lease_.Release();
  EXPECT_THAT(server_.calls, ElementsAre());  // it is the other one's too
}

TEST_F(NodeLeaseTest, GoesWithTheDaemon) {
  ASSERT_TRUE(lease_.Turn().ok());
  lease_.Release();
  EXPECT_TRUE(server_.stored.is_null());
  EXPECT_EQ(client_.requests.back().method, "DELETE");
}

TEST_F(NodeLeaseTest, AnOutageIsAnErrorAndTheNextTurnTriesAgain) {
  client_.SetStatus(403,
                    R"({"kind":"Status","reason":"Forbidden","message":"leases is forbidden"})");
  const absl::Status refused = lease_.Turn();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("leases is forbidden"));
  client_.SetStatus(503);
  EXPECT_TRUE(absl::IsUnavailable(TurnLater(lease_)));
  client_.Set([this](const ApiRequest& request) { return server_.Answer(request); });
  EXPECT_TRUE(lease_.Turn().ok());
  EXPECT_FALSE(server_.stored.is_null());
}

}  // namespace
}  // namespace fairlead::kube
