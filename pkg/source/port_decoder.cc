// `ports` and `presets` of a VIP.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pkg/model/presets.h"
#include "pkg/model/suggestion.h"
#include "pkg/source/object_decoders.h"

namespace fairlead::source {
namespace {

// One item of the list, as text: "80", "5014-5019", or "*" for all.
void AddItem(DecodeContext& context, const YamlNode& at, const std::string& path,
             absl::string_view item, std::vector<net::PortRange>* ranges) {
  if (absl::StripAsciiWhitespace(item) == "*") {
    ranges->push_back({1, 65535});
    return;
  }
  const absl::StatusOr<net::PortRange> range = net::PortSet::ParseItem(item);
  if (range.ok()) {
    ranges->push_back(*range);
  } else {
    context.Error(at, path, std::string(range.status().message()));
  }
}

}  // namespace

void DecodePorts(DecodeContext& context, const YamlNode& node, const std::string& path,
                 net::PortSet* ports) {
  std::vector<net::PortRange> ranges;
  switch (node.kind) {
    case YamlNode::Kind::kScalar:
      for (const absl::string_view item : absl::StrSplit(node.text, ',')) {
        AddItem(context, node, path, item, &ranges);
      }
      break;
    case YamlNode::Kind::kSequence:
      for (size_t i = 0; i < node.items.size(); ++i) {
        const YamlNode& item = node.items[i];
        const std::string item_path = absl::StrCat(path, "[", i, "]");
        if (item.kind == YamlNode::Kind::kScalar) {
          AddItem(context, item, item_path, item.text, &ranges);
        } else {
          context.Error(
              item, item_path,
              absl::StrCat("must be a port or a range \"a-b\", not ", DescribeKind(item)));
        }
      }
      break;
    case YamlNode::Kind::kMapping:
    case YamlNode::Kind::kNull:
      context.Error(node, path,
                    absl::StrCat("must be a string such as \"80,443,5014-5019\" or a list, not ",
                                 DescribeKind(node)));
      break;
  }
  ports->Add(net::PortSet::FromRanges(std::move(ranges)));
}

void DecodePresets(DecodeContext& context, const YamlNode& node, const std::string& path,
                   model::Vip* vip) {
  if (node.kind != YamlNode::Kind::kSequence) {
    context.Error(
        node, path,
        absl::StrCat("must be a list such as [konica-minolta], not ", DescribeKind(node)));
    return;
  }
  if (node.items.size() > model::kPresetsMax) {
    context.Error(node, path, absl::StrCat(node.items.size(), " presets > ", model::kPresetsMax));
    return;
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode& item = node.items[i];
    const std::string item_path = absl::StrCat(path, "[", i, "]");
    std::string problem;
    const std::optional<absl::string_view> slug = ToString(item, &problem);
    if (!slug.has_value()) {
      context.Error(item, item_path, std::move(problem));
      continue;
    }
    vip->presets.emplace_back(*slug);
    const model::Preset* preset = model::FindPreset(*slug);
    if (preset != nullptr) {
      vip->ports.Add(*net::PortSet::Parse(preset->ports));
      continue;
    }
    std::vector<absl::string_view> slugs;
    for (const model::Preset& known : model::AllPresets()) slugs.push_back(known.slug);
    context.Error(item, item_path,
                  absl::StrCat("no preset ", model::Quoted(*slug), model::DidYouMean(*slug, slugs),
                               "; `fairlead presets` lists them"));
  }
}

}  // namespace fairlead::source
