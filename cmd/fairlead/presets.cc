#include "cmd/fairlead/presets.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cmd/fairlead/table.h"
#include "pkg/model/suggestion.h"

namespace fairlead::cmd {
namespace {

constexpr FlagSpec kPresetsFlags[] = {
    {"output", "table|json", "default table"},
};

int UnknownPreset(const std::string& name) {
  std::vector<absl::string_view> slugs;
  for (const model::Preset& preset : model::AllPresets()) slugs.push_back(preset.slug);
  return Failure(kPresetsSpec,
                 absl::StrCat("no preset ", model::Quoted(name), model::DidYouMean(name, slugs),
                              " (`fairlead presets` lists them)"));
}

}  // namespace

const CommandSpec kPresetsSpec = {"presets", "[NAME] [--output table|json]",
                                  "Lists the vendor port lists that a VIP's presets take.",
                                  kPresetsFlags};

std::string PresetsText(absl::Span<const model::Preset> presets, bool colour) {
  Table table({{"NAME"}, {"PORTS"}, {"CHECK PORT"}, {"VENDOR / APPLICATION"}});
  for (const model::Preset& preset : presets) {
    const bool has_port = preset.health_check_port != 0;
    table.Add({{std::string(preset.slug), Style::kBold},
               {std::string(preset.ports)},
               {has_port ? absl::StrCat(preset.health_check_port) : "first port",
                has_port ? Style::kPlain : Style::kDim},
               {std::string(preset.vendor)}});
  }
  return table.ToText(colour);
}

std::string PresetsJson(absl::Span<const model::Preset> presets) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const model::Preset& preset : presets) {
    nlohmann::ordered_json entry = {{"name", std::string(preset.slug)},
                                    {"vendor", std::string(preset.vendor)},
                                    {"ports", std::string(preset.ports)}};
    if (preset.health_check_port != 0) entry["healthCheckPort"] = preset.health_check_port;
    list.push_back(std::move(entry));
  }
  return list.dump(2) + "\n";
}

int RunPresets(absl::Span<const std::string> arguments) {
  const ParseOutcome parsed = ParseOrExplain(kPresetsSpec, arguments);
  if (parsed.code >= 0) return parsed.code;
  const std::string output = parsed.flags.Get("output", "table");
  if (output != "table" && output != "json") {
    return UsageError(kPresetsSpec, "--output must be table or json");
  }
  const std::vector<std::string>& names = parsed.flags.positional();
  if (names.size() > 1) return UsageError(kPresetsSpec, "one NAME at a time");
  absl::Span<const model::Preset> presets = model::AllPresets();
  if (!names.empty()) {
    const model::Preset* preset = model::FindPreset(names.front());
    if (preset == nullptr) return UnknownPreset(names.front());
    presets = absl::MakeConstSpan(preset, 1);
  }
  absl::PrintF("%s",
               output == "json" ? PresetsJson(presets) : PresetsText(presets, StdoutTakesColour()));
  return kExitOk;
}

}  // namespace fairlead::cmd
