#include "pkg/dataplane/snat/explain.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "pkg/dataplane/snat/server_picker.h"

namespace fairlead::dataplane::snat {
namespace {

const SnatService* FindService(const SnatPlan& plan, const net::Endpoint& vip) {
  for (const auto& service : plan.services) {
    const auto& addresses = service->spec->addresses;
    const bool has_address =
        std::find(addresses.begin(), addresses.end(), vip.address) != addresses.end();
    if (has_address && service->spec->ports.Contains(vip.port)) return service.get();
  }
  return nullptr;
}

// "10.0.0.2", "print1.example.com = 10.0.0.2".
std::string AddressText(const PlanServer& server) {
  if (server.host_name.empty()) return server.address.ToString();
  if (server.address.is_unspecified()) return server.host_name;
  return absl::StrCat(server.host_name, " = ", server.address.ToString());
}

std::string Verdict(const PickRequest& request, int index) {
  const PlanServer& server = request.service.spec->servers[index];
  switch (AvailabilityOf(request, index, false)) {
    case Availability::kFree:
      return "may serve";
    case Availability::kIneligible:
      if (!server.host_name.empty() && server.address.is_unspecified()) {
        return "its name does not resolve";
      }
      if (server.way == Way::kDirect && server.eligibility != model::Eligibility::kNone) {
        return "is reached directly (DR); persistent clients keep coming this way";
      }
      return server.eligibility == model::Eligibility::kPersistentOnly
                 ? "serves persistent clients only (draining or weight 0)"
                 : "takes no new connections (down, not checked yet or halted)";
    case Availability::kPortDown:
      return absl::StrCat("port ", request.port, " does not answer its health check");
    case Availability::kTried:
      return "refused already";
    case Availability::kFull:
      return absl::StrCat("is at its limit of ", ConnectionLimit(request.service, index),
                          " connections");
  }
  return "";
}

std::string ScheduleReason(const PickRequest& request, int index) {
  const PlanServer& server = request.service.spec->servers[index];
  const uint32_t connections = request.service.servers[index]->connections.load();
  switch (request.service.spec->scheduler) {
    case model::Scheduler::kWeightedLeastConnections:
      return absl::StrFormat(
          "it is its turn by weight among those with the fewest connections for their weight, to "
          "within one (%d at weight %g)",
          connections, server.weight);
    case model::Scheduler::kWeightedRoundRobin:
      return absl::StrFormat("it is its turn by weight (%g)", server.weight);
    case model::Scheduler::kSourceHash:
      return absl::StrCat("the hash of the client's address ", request.client->address.ToString(),
                          " falls to it");
    case model::Scheduler::kMaglev:
      return absl::StrCat("the hash of the client ", request.client->ToString(), " falls to it");
  }
  return "";
}

std::string NobodyReason(const PickRequest& request, Pick::Kind kind, Explanation* explanation) {
  if (kind == Pick::Kind::kWait) {
    return "every server that may serve is at its limit: the client would wait in the queue";
  }
  const model::Fallback& fallback = request.service.spec->fallback;
  switch (fallback.action) {
    case model::Fallback::Action::kReset:
      return "no server may serve: the connection is refused (fallback Reset)";
    case model::Fallback::Action::kDrop:
      return "no server may serve: the SYN is dropped (fallback Drop)";
    case model::Fallback::Action::kServer:
      explanation->server = "fallback";
      explanation->server_endpoint = {
          fallback.server.address, fallback.server.port != 0 ? fallback.server.port : request.port};
      return "no server may serve: the fallback server gets it";
  }
  return "";
}

}  // namespace

absl::StatusOr<Explanation> ExplainChoice(const SnatPlan& plan, const net::Endpoint& client,
                                          const net::Endpoint& vip,
                                          const scheduler::PersistenceTable& persistence,
                                          uint32_t now_seconds) {
  const SnatService* service = FindService(plan, vip);
  if (service == nullptr) {
    return absl::NotFoundError(absl::StrCat(vip.ToString(),
                                            " is no address and port of an enabled VIP; see: "
                                            "fairlead status"));
  }
  const PickRequest request{*service, 0, vip.port, &client, {}, now_seconds};
  const Pick pick = PickServer(request, persistence);
  Explanation explanation;
  if (pick.kind == Pick::Kind::kServer) {
    const PlanServer& server = service->spec->servers[pick.index];
    explanation.server = server.name;
    explanation.server_endpoint = {server.address, server.port != 0 ? server.port : vip.port};
    explanation.reason = pick.persistent ? "the client's persistence entry binds it to this server"
                                         : ScheduleReason(request, pick.index);
  } else {
    explanation.reason = NobodyReason(request, pick.kind, &explanation);
  }
  for (size_t i = 0; i < service->servers.size(); ++i) {
    const PlanServer& server = service->spec->servers[i];
    explanation.details.push_back(absl::StrFormat(
        "%s (%s): weight %g, %d connections: %s", server.name, AddressText(server), server.weight,
        service->servers[i]->connections.load(), Verdict(request, static_cast<int>(i))));
  }
  return explanation;
}

}  // namespace fairlead::dataplane::snat
