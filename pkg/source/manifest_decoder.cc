#include "pkg/source/manifest_decoder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pkg/model/defaults.h"
#include "pkg/model/desired_state.h"
#include "pkg/model/finding_collector.h"
#include "pkg/model/suggestion.h"
#include "pkg/source/decode_context.h"
#include "pkg/source/finding_location.h"
#include "pkg/source/object_decoders.h"
#include "pkg/source/text_check.h"
#include "pkg/source/yaml_tree.h"

namespace fairlead::source {
namespace {

using model::Finding;
using model::ObjectId;
using model::ObjectKind;
using model::Severity;

constexpr absl::string_view kKinds[] = {"VIP", "RealServer", "Node", "AddressPool"};
constexpr absl::string_view kListKinds[] = {"List", "VIPList", "RealServerList", "AddressPoolList"};
constexpr absl::string_view kTopFields[] = {"apiVersion", "kind", "metadata", "spec", "status"};
constexpr absl::string_view kListFields[] = {"apiVersion", "kind", "metadata", "items"};
// name, namespace and labels are ours; the others come with objects that kubectl printed.
constexpr absl::string_view kMetadataFields[] = {
    "name",          "namespace",         "labels",          "annotations",
    "uid",           "resourceVersion",   "generation",      "creationTimestamp",
    "managedFields", "deletionTimestamp", "ownerReferences", "deletionGracePeriodSeconds",
    "finalizers",    "selfLink",          "generateName"};
constexpr size_t kLabelBytesMax = 128;

// The text of a scalar field of a mapping, "" when it is not there.
absl::string_view TextOf(const YamlNode& mapping, absl::string_view field) {
  for (size_t i = 0; i < mapping.keys.size(); ++i) {
    if (mapping.keys[i].text == field) return mapping.items[i].text;
  }
  return "";
}

const YamlNode* ChildOf(const YamlNode& mapping, absl::string_view field) {
  for (size_t i = 0; i < mapping.keys.size(); ++i) {
    if (mapping.keys[i].text == field) return &mapping.items[i];
  }
  return nullptr;
}

const YamlNode* NonNullChildOf(const YamlNode& mapping, absl::string_view field) {
  const YamlNode* child = ChildOf(mapping, field);
  return child == nullptr || child->kind == YamlNode::Kind::kNull ? nullptr : child;
}

template <size_t N>
bool IsOneOf(absl::string_view text, const absl::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

// Decodes one document of a file.
class Decoder {
 public:
  Decoder(const std::string& file, Origin origin) : file_(file), origin_(origin) {
    result_.file = file;
  }

  void DecodeDocument(const YamlChunk& chunk) {
    const YamlDocument document = ParseYamlDocument(chunk);
    for (const YamlNode& root : document.roots) {
      if (root.kind != YamlNode::Kind::kNull) DecodeRoot(root);
    }
    if (!document.problem.has_value()) return;
    result_.complete = false;
    result_.findings.push_back({Severity::kError,
                                "",
                                {file_, document.problem->line, document.problem->column},
                                "",
                                document.problem->message});
  }

  DecodeResult TakeResult() {
    std::stable_sort(result_.findings.begin(), result_.findings.end(),
                     [](const Finding& left, const Finding& right) {
                       return std::pair(left.location.line, left.location.column) <
                              std::pair(right.location.line, right.location.column);
                     });
    return std::move(result_);
  }

 private:
  void DecodeRoot(const YamlNode& root) {
    if (IsOneOf(TextOf(root, "kind"), kListKinds)) {
      DecodeList(root);
    } else {
      DecodeObject(root);
    }
  }

  void DecodeList(const YamlNode& root) {
    const absl::string_view kind = TextOf(root, "kind");
    DecodeContext context(file_, std::string(kind));
    const MapReader reader(context, root, "", kListFields);
    const absl::string_view wanted = kind == "List" ? "v1" : model::kApiVersion;
    if (TextOf(root, "apiVersion") != wanted) {
      reader.Error("apiVersion", absl::StrCat("a ", kind, " has apiVersion ", wanted));
    }
    const YamlNode* items = reader.Find("items");
    if (items == nullptr || items->kind != YamlNode::Kind::kSequence) {
      reader.Error("items", "must be a list of objects");
    } else if (context.findings().empty()) {
      for (const YamlNode& item : items->items) DecodeObject(item);
    }
    if (!context.findings().empty()) result_.complete = false;
    TakeFindings(context);
  }

  void DecodeObject(const YamlNode& root) {
    if (root.kind != YamlNode::Kind::kMapping) {
      RefuseUnidentified(root, "", "",
                         absl::StrCat("a manifest must be a mapping with apiVersion, kind, "
                                      "metadata and spec, not ",
                                      DescribeKind(root)));
      return;
    }
    const absl::string_view kind = TextOf(root, "kind");
    const absl::string_view api_version = TextOf(root, "apiVersion");
    if (!IsOneOf(kind, kKinds)) {
      RefuseUnidentified(root, "kind", kind,
                         kind.empty()
                             ? "a manifest needs a kind: VIP, RealServer, AddressPool or Node"
                             : absl::StrCat("unknown kind ", model::Quoted(kind),
                                            "; there are VIP, RealServer, AddressPool and Node",
                                            model::DidYouMean(kind, kKinds)));
    } else if (api_version != model::kApiVersion) {
      RefuseUnidentified(root, "apiVersion", kind,
                         absl::StrCat("unknown apiVersion ", model::Quoted(api_version), "; write ",
                                      model::kApiVersion));
    } else {
      DecodeKnownObject(root, kind);
    }
  }

  // A document that cannot be said to be this or that object.
  void RefuseUnidentified(const YamlNode& root, absl::string_view field, absl::string_view kind,
                          std::string message) {
    const YamlNode* metadata = ChildOf(root, "metadata");
    const absl::string_view name = metadata == nullptr ? "" : TextOf(*metadata, "name");
    DecodeContext context(
        file_, model::Printable(absl::StrCat(kind, kind.empty() || name.empty() ? "" : " ", name),
                                kLabelBytesMax));
    const YamlNode* place = ChildOf(root, field);
    context.Error(place == nullptr ? root : *place, std::string(field), std::move(message));
    result_.complete = false;
    TakeFindings(context);
  }

  static ObjectId PeekId(const YamlNode& root, absl::string_view kind) {
    ObjectId id;
    id.kind = static_cast<ObjectKind>(std::find(std::begin(kKinds), std::end(kKinds), kind) -
                                      std::begin(kKinds));
    const YamlNode* metadata = ChildOf(root, "metadata");
    if (metadata == nullptr) return id;
    id.name = std::string(TextOf(*metadata, "name"));
    id.name_space = std::string(TextOf(*metadata, "namespace"));
    return id;
  }

  void DecodeKnownObject(const YamlNode& root, absl::string_view kind) {
    ObjectId id = PeekId(root, kind);
    const bool namespaced = id.kind == ObjectKind::kVip || id.kind == ObjectKind::kRealServer;
    const bool names_namespace = !id.name_space.empty();
    id.name_space = namespaced ? (names_namespace ? id.name_space : "default") : "";
    DecodeContext context(file_, model::Printable(id.ToString(), kLabelBytesMax));
    const MapReader top(context, root, "", kTopFields);
    YamlNode nothing;  // stands where a section is missing
    nothing.line = root.line;
    nothing.column = root.column;
    const YamlNode* metadata = top.Find("metadata");
    const MapReader meta(context, metadata == nullptr ? nothing : *metadata, "metadata",
                         kMetadataFields);
    CheckMetadata(meta, namespaced, kind);
    const YamlNode* spec = top.Find("spec");
    DecodeSpec(context, root, meta, spec == nullptr ? nothing : *spec, id);
  }

  static void CheckMetadata(const MapReader& meta, bool namespaced, absl::string_view kind) {
    std::string ignored;
    if (!meta.ReadString("name", &ignored) && meta.Find("name") == nullptr) {
      meta.Error("name", "every object needs a name; write metadata: {name: NAME}");
    }
    if (meta.ReadString("namespace", &ignored) && !namespaced) {
      meta.Error("namespace", absl::StrCat("kind ", kind, " belongs to no namespace; remove this"));
    }
  }

  void DecodeSpec(DecodeContext& context, const YamlNode& root, const MapReader& meta,
                  const YamlNode& spec, ObjectId id) {
    const model::SourceLocation location = context.LocationOf(root);
    switch (id.kind) {
      case ObjectKind::kVip: {
        model::Vip vip;
        vip.id = std::move(id);
        vip.location = location;
        DecodeVipSpec(context, spec, &vip);
        if (origin_ == Origin::kFiles) RefuseReferences(context, spec);
        model::FillDefaults(vip);
        Finish(context, root, std::move(vip), &result_.vips);
        return;
      }
      case ObjectKind::kRealServer: {
        model::RealServer server;
        server.id = std::move(id);
        server.location = location;
        if (const YamlNode* labels = meta.Find("labels"); labels != nullptr) {
          DecodeStringMap(context, *labels, "metadata.labels", &server.labels);
        }
        DecodeRealServerSpec(context, spec, &server);
        Finish(context, root, std::move(server), &result_.real_servers);
        return;
      }
      case ObjectKind::kNode: {
        model::Node node;
        node.id = std::move(id);
        node.location = location;
        DecodeNodeSpec(context, spec, &node);
        Finish(context, root, std::move(node), &result_.nodes);
        return;
      }
      case ObjectKind::kAddressPool: {
        model::AddressPool pool;
        pool.id = std::move(id);
        pool.location = location;
        DecodeAddressPoolSpec(context, spec, &pool);
        if (origin_ == Origin::kFiles) {
          result_.findings.push_back(
              {Severity::kWarning, context.object(), location, "",
               "no VIP in files takes its address from a pool, as nobody gives them out there; "
               "write the addresses in the VIP"});
        }
        Finish(context, root, std::move(pool), &result_.address_pools);
        return;
      }
    }
  }

  static void RefuseReferences(DecodeContext& context, const YamlNode& spec) {
    if (const YamlNode* pool = NonNullChildOf(spec, "addressPoolRef"); pool != nullptr) {
      context.Error(*pool, "spec.addressPoolRef",
                    "addresses of a pool are given out in Kubernetes alone; in files write "
                    "addresses: [ADDRESS]");
    }
    const YamlNode* servers = NonNullChildOf(spec, "realServers");
    if (servers == nullptr) return;
    if (const YamlNode* service = NonNullChildOf(*servers, "service"); service != nullptr) {
      context.Error(
          *service, "spec.realServers.service",
          "the endpoints of a Service are known in Kubernetes alone; in files use list or "
          "selector");
    }
  }

  // Validates what was decoded and files it under good or rejected.
  template <typename T>
  void Finish(DecodeContext& context, const YamlNode& root, T object, std::vector<T>* good) {
    std::vector<Finding> findings =
        MergeFindings(context.TakeFindings(), model::Validate(object), context.object(), root);
    const bool rejected = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.severity == Severity::kError;
    });
    if (!rejected) {
      good->push_back(std::move(object));
    } else if (object.id.name.empty()) {
      result_.complete = false;
    } else {
      result_.rejected.push_back({object.id, object.location});
    }
    std::move(findings.begin(), findings.end(), std::back_inserter(result_.findings));
  }

  void TakeFindings(DecodeContext& context) {
    std::vector<Finding> findings = context.TakeFindings();
    std::move(findings.begin(), findings.end(), std::back_inserter(result_.findings));
  }

  const std::string& file_;
  const Origin origin_;
  DecodeResult result_;
};

// As if the document stood at the start of the file.
std::shared_ptr<const DecodeResult> FindOrDecode(absl::string_view text, const std::string& file,
                                                 const DocumentCache* cache,
                                                 const DocumentCache& used, Origin origin) {
  for (const DocumentCache* known_documents : {cache, &used}) {
    if (known_documents == nullptr) continue;
    const auto known = known_documents->find(text);
    if (known != known_documents->end() && known->second->file == file) return known->second;
  }
  Decoder decoder(file, origin);
  decoder.DecodeDocument({text, 1});
  return std::make_shared<const DecodeResult>(decoder.TakeResult());
}

// Moves the entry of `text` from `cache` to `used`, or makes one there; without a cache nothing.
void Remember(absl::string_view text, const std::shared_ptr<const DecodeResult>& document,
              DocumentCache* cache, DocumentCache* used) {
  if (cache == nullptr) return;
  const auto known = cache->find(text);
  if (known == cache->end() || known->second != document) {
    used->emplace(text, document);
  } else {
    used->insert(cache->extract(known));
  }
}

template <typename T>
void AppendShifted(const std::vector<T>& from, int lines, std::vector<T>* to) {
  for (const T& element : from) {
    to->push_back(element);
    if (to->back().location.line > 0) to->back().location.line += lines;
  }
}

void Append(const DecodeResult& document, int lines, DecodeResult* total) {
  AppendShifted(document.vips, lines, &total->vips);
  AppendShifted(document.real_servers, lines, &total->real_servers);
  AppendShifted(document.address_pools, lines, &total->address_pools);
  AppendShifted(document.nodes, lines, &total->nodes);
  AppendShifted(document.rejected, lines, &total->rejected);
  AppendShifted(document.findings, lines, &total->findings);
  total->complete = total->complete && document.complete;
}

bool IsBlank(absl::string_view text) { return absl::StripAsciiWhitespace(text).empty(); }

}  // namespace

DecodeResult UnreadableFile(const std::string& file, std::string message) {
  DecodeResult result;
  result.file = file;
  result.complete = false;
  result.findings.push_back({Severity::kError, "", {file, 0, 0}, "", std::move(message)});
  return result;
}

DecodeResult DecodeManifests(absl::string_view text, const std::string& file, DocumentCache* cache,
                             Origin origin) {
  if (text.size() > kManifestBytesMax) {
    return UnreadableFile(file, absl::StrCat(text.size(), " bytes > ", kManifestBytesMax,
                                             "; split the file into several"));
  }
  if (const std::optional<TextProblem> problem = FindTextProblem(text); problem.has_value()) {
    DecodeResult result = UnreadableFile(file, problem->message);
    result.findings.front().location.line = problem->line;
    result.findings.front().location.column = problem->column;
    return result;
  }
  if (IsBlank(text)) {
    return UnreadableFile(file,
                          "the file is empty; delete it, or leave a comment in it, to say that "
                          "nothing is wanted");
  }
  DecodeResult total;
  total.file = file;
  DocumentCache used;
  for (const YamlChunk& chunk : SplitYamlDocuments(text)) {
    std::shared_ptr<const DecodeResult> document =
        FindOrDecode(chunk.text, file, cache, used, origin);
    Append(*document, chunk.first_line - 1, &total);
    Remember(chunk.text, document, cache, &used);
  }
  if (cache != nullptr) *cache = std::move(used);
  return total;
}

}  // namespace fairlead::source
