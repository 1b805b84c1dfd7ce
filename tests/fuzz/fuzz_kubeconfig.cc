// Any text as a kubeconfig.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "pkg/kube/kubeconfig.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  fairlead::kube::Kubeconfig kubeconfig;
  if (!kubeconfig.Merge("/etc/fuzz", text).ok()) return 0;
  const auto access = kubeconfig.Access("");
  if (!access.ok()) return 0;
  if (access->server.empty()) std::abort();
  const auto is_relative = [](const std::string& path) { return !path.empty() && path[0] != '/'; };
  if (is_relative(access->ca_file) || is_relative(access->token_file)) std::abort();
  if (access->insecure_skip_tls_verify && !access->ca.empty()) std::abort();
  return 0;
}
