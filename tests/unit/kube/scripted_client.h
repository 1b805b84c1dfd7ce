// An API client whose answers the test decides.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pkg/kube/api_client.h"

namespace fairlead::kube {

class ScriptedClient final : public ApiClient {
 public:
  using Answer = std::function<absl::StatusOr<ApiResponse>(const ApiRequest&)>;

  // Until another one is set every answer is 200 and empty.
  void Set(Answer answer) { answer_ = std::move(answer); }
  void SetStatus(int status, const std::string& body = "{}") {
    Set([=](const ApiRequest&) { return ApiResponse{status, body, {}}; });
  }

  absl::StatusOr<ApiResponse> Send(const ApiRequest& request) override {
    requests.push_back(request);
    return answer_(request);
  }
  absl::StatusOr<ApiResponse> Stream(const ApiRequest&,
                                     absl::FunctionRef<bool(absl::string_view)>) override {
    return absl::UnimplementedError("not scripted");
  }
  void Cancel() override {}
  std::string server() const override { return "https://a:6443"; }

  std::vector<ApiRequest> requests;

 private:
  Answer answer_ = [](const ApiRequest&) { return ApiResponse{200, "{}", {}}; };
};

}  // namespace fairlead::kube
