#include "cmd/fairlead/cluster_session.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cmd/fairlead/json_field.h"
#include "pkg/admin/client.h"
#include "pkg/kube/cluster_access.h"

namespace fairlead::cmd {
namespace {

using nlohmann::json;

constexpr int kPageSize = 500;

absl::StatusOr<kube::ClusterAccess> AccessOf(const Flags& flags) {
  auto access = kube::KubeconfigAccess(flags.Get("kubeconfig"), flags.Get("context"));
  // As kubectl: in a pod without a kubeconfig its service account.
  const bool in_pod = std::getenv("KUBERNETES_SERVICE_HOST") != nullptr;
  if (absl::IsNotFound(access.status()) && !flags.Has("kubeconfig") && in_pod) {
    return kube::InClusterAccess();
  }
  return access;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClusterSession>> ClusterSession::Open(const Flags& flags) {
  const auto access = AccessOf(flags);
  if (!access.ok()) return access.status();
  std::unique_ptr<ClusterSession> session(new ClusterSession());
  session->name_space_ = flags.Get("namespace", access->name_space);
  auto client = kube::MakeApiClient(*access, session->clock_);
  if (!client.ok()) return client.status();
  session->client_ = *std::move(client);
  return session;
}

absl::StatusOr<json> ClusterSession::Ask(const kube::ApiRequest& request) {
  const auto response = client_->Send(request);
  if (!response.ok()) return response.status();
  if (!response->ok()) {
    const std::string message = absl::StrCat(client_->server(), ": ", response->ErrorText());
    return response->status == 404 ? absl::NotFoundError(message) : absl::UnknownError(message);
  }
  json answer = json::parse(response->body, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (answer.is_object()) return answer;
  return absl::InternalError(
      absl::StrCat("the answer of ", client_->server(), " to ", request.target, " is no object"));
}

absl::StatusOr<std::vector<json>> ClusterSession::List(const kube::Resource& resource,
                                                       const std::string& name_space) {
  std::vector<json> objects;
  std::string next;
  do {
    auto page =
        Ask({.target = absl::StrCat(resource.Path(name_space), "?limit=", kPageSize, next)});
    if (!page.ok()) return page.status();
    for (const json& object : ListOf(*page, "items")) objects.push_back(object);
    const std::string token = TextOf(ObjectOf(*page, "metadata"), "continue");
    next = token.empty() ? "" : absl::StrCat("&continue=", admin::QueryEncode(token));
  } while (!next.empty());
  return objects;
}

absl::StatusOr<json> ClusterSession::Get(const kube::Resource& resource, const std::string& name) {
  return Ask({.target = resource.Path(name_space_, name)});
}

absl::StatusOr<json> ClusterSession::MergePatch(const kube::Resource& resource,
                                                const std::string& name, const json& patch) {
  return Ask(
      {.method = "PATCH",
       .target = absl::StrCat(resource.Path(name_space_, name), "?fieldManager=kubectl-fairlead"),
       .body = patch.dump(),
       .content_type = kube::kMergePatch});
}

}  // namespace fairlead::cmd
