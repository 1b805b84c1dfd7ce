// `spec` of an AddressPool.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/source/object_decoders.h"

namespace fairlead::source {
namespace {

constexpr absl::string_view kPoolFields[] = {"ranges", "autoAssign", "namespaces"};

// Calls read(text, place) -> problem for each string of a list.
template <typename Read>
void ReadStrings(const MapReader& spec, absl::string_view field, absl::string_view example,
                 Read read) {
  const YamlNode* node = spec.Find(field);
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::kSequence) {
    spec.Error(field,
               absl::StrCat("must be a list such as ", example, ", not ", DescribeKind(*node)));
    return;
  }
  for (size_t i = 0; i < node->items.size(); ++i) {
    std::string problem;
    const std::optional<absl::string_view> text = ToString(node->items[i], &problem);
    if (text.has_value()) problem = read(*text);
    if (problem.empty()) continue;
    spec.context().Error(node->items[i], absl::StrCat(spec.PathOf(field), "[", i, "]"),
                         std::move(problem));
  }
}

}  // namespace

void DecodeAddressPoolSpec(DecodeContext& context, const YamlNode& spec, model::AddressPool* pool) {
  const MapReader reader(context, spec, "spec", kPoolFields);
  ReadStrings(reader, "ranges", "[10.0.0.1-10.0.0.9]", [pool](absl::string_view text) {
    const absl::StatusOr<net::IpRange> range = net::IpRange::Parse(text);
    // A bad range keeps its place, so that later ones are told by their own number.
    pool->ranges.push_back(range.value_or(net::IpRange()));
    return range.ok() ? std::string() : std::string(range.status().message());
  });
  reader.ReadBool("autoAssign", &pool->auto_assign);
  ReadStrings(reader, "namespaces", "[printing]", [pool](absl::string_view text) {
    pool->namespaces.emplace_back(text);
    return std::string();
  });
}

}  // namespace fairlead::source
