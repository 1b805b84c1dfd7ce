#include "pkg/kube/kubeconfig.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "pkg/kube/text_file.h"
#include "pkg/model/suggestion.h"

namespace fairlead::kube {
namespace {

using source::YamlNode;

const YamlNode* Find(const YamlNode& mapping, absl::string_view key) {
  if (mapping.kind != YamlNode::Kind::kMapping) return nullptr;
  for (size_t i = 0; i < mapping.keys.size(); ++i) {
    if (mapping.keys[i].text == key) return &mapping.items[i];
  }
  return nullptr;
}

// The text of a scalar field; "" when it is absent or no scalar.
std::string Text(const YamlNode& mapping, absl::string_view key) {
  const YamlNode* node = Find(mapping, key);
  return node == nullptr ? "" : node->text;
}

absl::Status Wrong(const std::string& file, const YamlNode& at, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(file, ":", at.line, ": ", message));
}

std::string DirectoryOf(const std::string& file) {
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : file.substr(0, slash);
}

// `path` of a kubeconfig is relative to the file that it stands in.
std::string Resolved(const std::string& path, const std::string& file) {
  if (path.empty() || path.front() == '/') return path;
  return absl::StrCat(DirectoryOf(file), "/", path);
}

// Reads the pair KEY-data (base64) and KEY (a path); the data wins, as in client-go.
absl::Status TakeDataOrFile(const KubeconfigEntry& entry, absl::string_view key, std::string* data,
                            std::string* path) {
  const std::string encoded = Text(entry.body, absl::StrCat(key, "-data"));
  if (encoded.empty()) {
    *path = Resolved(Text(entry.body, key), entry.file);
    return absl::OkStatus();
  }
  if (!absl::Base64Unescape(encoded, data)) {
    return Wrong(entry.file, *Find(entry.body, absl::StrCat(key, "-data")),
                 absl::StrCat(key, "-data is no base64"));
  }
  return absl::OkStatus();
}

// Fields whose absence from the connection would change where it goes or who it is.
absl::Status RefuseUnsupported(const KubeconfigEntry& entry,
                               const std::vector<std::pair<const char*, const char*>>& fields) {
  for (const auto& [field, remedy] : fields) {
    if (const YamlNode* node = Find(entry.body, field);
        node != nullptr && node->kind != YamlNode::Kind::kNull &&
        (node->kind != YamlNode::Kind::kScalar || !node->text.empty())) {
      return absl::UnimplementedError(
          absl::StrCat(entry.file, ":", node->line, ": ", field, " is not supported; ", remedy));
    }
  }
  return absl::OkStatus();
}

absl::Status TakeCluster(const KubeconfigEntry& cluster, ClusterAccess* access) {
  access->server = Text(cluster.body, "server");
  if (access->server.empty()) return Wrong(cluster.file, cluster.body, "the cluster has no server");
  access->tls_server_name = Text(cluster.body, "tls-server-name");
  access->insecure_skip_tls_verify = Text(cluster.body, "insecure-skip-tls-verify") == "true";
  absl::Status taken =
      TakeDataOrFile(cluster, "certificate-authority", &access->ca, &access->ca_file);
  if (!taken.ok()) return taken;
  if (access->insecure_skip_tls_verify && !(access->ca.empty() && access->ca_file.empty())) {
    return Wrong(cluster.file, cluster.body,
                 "insecure-skip-tls-verify and a certificate-authority contradict each other; "
                 "remove one");
  }
  return RefuseUnsupported(cluster, {{"proxy-url", "connect without a proxy"}});
}

absl::StatusOr<ExecPlugin> ReadExec(const KubeconfigEntry& user, const YamlNode& exec) {
  ExecPlugin plugin;
  plugin.api_version = Text(exec, "apiVersion");
  plugin.command = Text(exec, "command");
  plugin.install_hint = Text(exec, "installHint");
  plugin.provide_cluster_info = Text(exec, "provideClusterInfo") == "true";
  if (plugin.command.empty()) return Wrong(user.file, exec, "exec has no command");
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return Wrong(user.file, exec,
                 absl::StrCat("exec.apiVersion ", model::Quoted(plugin.api_version),
                              " must be client.authentication.k8s.io/v1 or v1beta1"));
  }
  if (absl::StrContains(plugin.command, '/')) {
    plugin.command = Resolved(plugin.command, user.file);
  }
  if (const YamlNode* arguments = Find(exec, "args"); arguments != nullptr) {
    for (const YamlNode& item : arguments->items) plugin.arguments.push_back(item.text);
  }
  if (const YamlNode* environment = Find(exec, "env"); environment != nullptr) {
    for (const YamlNode& item : environment->items) {
      plugin.environment.emplace_back(Text(item, "name"), Text(item, "value"));
    }
  }
  return plugin;
}

absl::Status TakeUser(const KubeconfigEntry& user, ClusterAccess* access) {
  absl::Status taken = TakeDataOrFile(user, "client-certificate", &access->client_certificate,
                                      &access->client_certificate_file);
  if (taken.ok()) {
    taken = TakeDataOrFile(user, "client-key", &access->client_key, &access->client_key_file);
  }
  if (!taken.ok()) return taken;
  const bool has_certificate =
      !(access->client_certificate.empty() && access->client_certificate_file.empty());
  const bool has_key = !(access->client_key.empty() && access->client_key_file.empty());
  if (has_certificate != has_key) {
    return Wrong(user.file, user.body, "client-certificate and client-key need each other");
  }
  access->token = Text(user.body, "token");
  access->token_file = Resolved(Text(user.body, "tokenFile"), user.file);
  if (const YamlNode* exec = Find(user.body, "exec");
      exec != nullptr && exec->kind == YamlNode::Kind::kMapping) {
    auto plugin = ReadExec(user, *exec);
    if (!plugin.ok()) return plugin.status();
    access->exec = *std::move(plugin);
  }
  return RefuseUnsupported(
      user, {{"auth-provider", "Kubernetes 1.26 removed it; use exec"},
             {"username", "Kubernetes 1.19 removed passwords; use a token or a certificate"},
             {"password", "Kubernetes 1.19 removed passwords; use a token or a certificate"},
             {"as", "use credentials of that user"},
             {"as-uid", "use credentials of that user"},
             {"as-groups", "use credentials of such a user"},
             {"as-user-extra", "use credentials of such a user"}});
}

std::string DefaultPaths() {
  if (const char* listed = std::getenv("KUBECONFIG"); listed != nullptr && *listed != '\0') {
    return listed;
  }
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "" : home, "/.kube/config");
}

}  // namespace

absl::Status Kubeconfig::MergeList(const std::string& file, const YamlNode& root,
                                   absl::string_view list, absl::string_view body,
                                   Entries* entries) {
  const YamlNode* found = Find(root, list);
  if (found == nullptr || found->kind == YamlNode::Kind::kNull) return absl::OkStatus();
  if (found->kind != YamlNode::Kind::kSequence) {
    return Wrong(file, *found, absl::StrCat(list, " must be a list"));
  }
  for (const YamlNode& item : found->items) {
    const std::string name = Text(item, "name");
    const YamlNode* content = Find(item, body);
    if (name.empty() || content == nullptr) {
      return Wrong(file, item, absl::StrCat("an entry of ", list, " needs name and ", body));
    }
    entries->try_emplace(name, KubeconfigEntry{*content, file});
  }
  return absl::OkStatus();
}

absl::Status Kubeconfig::Merge(const std::string& file, absl::string_view text) {
  files_.push_back(file);
  const std::vector<source::YamlChunk> chunks = source::SplitYamlDocuments(text);
  if (chunks.empty()) return absl::OkStatus();  // an empty file is an empty kubeconfig
  const source::YamlDocument document = source::ParseYamlDocument(chunks.front());
  if (document.problem.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ":", document.problem->line, ": ", document.problem->message));
  }
  if (document.roots.empty()) return absl::OkStatus();
  const YamlNode& root = document.roots.front();
  if (root.kind != YamlNode::Kind::kMapping) return Wrong(file, root, "this is no kubeconfig");
  if (current_context_.empty()) current_context_ = Text(root, "current-context");
  absl::Status merged = MergeList(file, root, "clusters", "cluster", &clusters_);
  if (merged.ok()) merged = MergeList(file, root, "users", "user", &users_);
  if (merged.ok()) merged = MergeList(file, root, "contexts", "context", &contexts_);
  return merged;
}

absl::StatusOr<ClusterAccess> Kubeconfig::Access(const std::string& context) const {
  const std::string files = absl::StrJoin(files_, ":");
  const std::string& wanted = context.empty() ? current_context_ : context;
  if (wanted.empty()) {
    return absl::NotFoundError(
        absl::StrCat(files, ": no current-context; set it with `kubectl config use-context NAME`"));
  }
  const auto chosen = contexts_.find(wanted);
  if (chosen == contexts_.end()) {
    return absl::NotFoundError(absl::StrCat(
        files, ": no context ", model::Quoted(wanted),
        "; there are: ", absl::StrJoin(contexts_, ", ", [](std::string* out, const auto& entry) {
          absl::StrAppend(out, entry.first);
        })));
  }
  const YamlNode& body = chosen->second.body;
  ClusterAccess access;
  access.origin = absl::StrCat(chosen->second.file, ", context ", wanted);
  if (const std::string name_space = Text(body, "namespace"); !name_space.empty()) {
    access.name_space = name_space;
  }
  const auto cluster = clusters_.find(Text(body, "cluster"));
  if (cluster == clusters_.end()) {
    return absl::NotFoundError(absl::StrCat(files, ": no cluster ",
                                            model::Quoted(Text(body, "cluster")),
                                            ", which context ", model::Quoted(wanted), " names"));
  }
  if (absl::Status taken = TakeCluster(cluster->second, &access); !taken.ok()) return taken;
  const std::string user_name = Text(body, "user");
  if (user_name.empty()) return access;  // anonymous
  const auto user = users_.find(user_name);
  if (user == users_.end()) {
    return absl::NotFoundError(absl::StrCat(files, ": no user ", model::Quoted(user_name),
                                            ", which context ", model::Quoted(wanted), " names"));
  }
  if (absl::Status taken = TakeUser(user->second, &access); !taken.ok()) return taken;
  return access;
}

absl::StatusOr<ClusterAccess> KubeconfigAccess(const std::string& paths,
                                               const std::string& context) {
  Kubeconfig merged;
  const std::string listed = paths.empty() ? DefaultPaths() : paths;
  size_t read_count = 0;
  absl::Status missing = absl::NotFoundError("no kubeconfig is named");
  for (absl::string_view path : absl::StrSplit(listed, ':', absl::SkipEmpty())) {
    const auto text = ReadTextFile(std::string(path));
    if (absl::IsNotFound(text.status())) {  // the others of the list may be enough
      missing = text.status();
      continue;
    }
    if (!text.ok()) return text.status();
    ++read_count;
    if (absl::Status done = merged.Merge(std::string(path), *text); !done.ok()) return done;
  }
  if (read_count == 0) {
    return absl::NotFoundError(absl::StrCat("no kubeconfig: ", missing.message()));
  }
  return merged.Access(context);
}

}  // namespace fairlead::kube
