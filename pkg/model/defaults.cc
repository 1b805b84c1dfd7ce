#include "pkg/model/defaults.h"

#include "pkg/model/presets.h"

namespace fairlead::model {
namespace {

uint16_t DefaultCheckPort(const Vip& vip) {
  for (const std::string& slug : vip.presets) {
    const Preset* preset = FindPreset(slug);
    if (preset != nullptr && preset->health_check_port != 0) return preset->health_check_port;
  }
  return vip.ports.empty() ? 0 : vip.ports.first();
}

}  // namespace

void FillDefaults(Vip& vip) {
  HealthCheck& check = vip.health_check;
  const bool has_port =
      check.type != HealthCheck::Type::kIcmp && check.type != HealthCheck::Type::kNone;
  if (has_port && !check.each_port && check.port == 0) check.port = DefaultCheckPort(vip);
  if (vip.selector.empty() && vip.inline_servers.empty() && vip.service.empty()) {
    vip.selector[kVipLabel] = vip.id.name;
  }
}

}  // namespace fairlead::model
