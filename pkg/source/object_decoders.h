// The decoders of the single kinds. Each reads `spec` into an object whose identity stands already;
// problems go to the context. For pkg/source only.
#pragma once

#include <map>
#include <string>

#include "pkg/model/address_pool.h"
#include "pkg/model/node.h"
#include "pkg/model/vip.h"
#include "pkg/source/decode_context.h"

namespace fairlead::source {

// `spec` may be a null node: then the required fields are missing.
void DecodeVipSpec(DecodeContext& context, const YamlNode& spec, model::Vip* vip);
void DecodeRealServerSpec(DecodeContext& context, const YamlNode& spec, model::RealServer* server);
void DecodeAddressPoolSpec(DecodeContext& context, const YamlNode& spec, model::AddressPool* pool);
void DecodeNodeSpec(DecodeContext& context, const YamlNode& spec, model::Node* node);

// The parts that have a file of their own.
void DecodeHealthCheck(DecodeContext& context, const YamlNode& node, model::HealthCheck* check);
void DecodePorts(DecodeContext& context, const YamlNode& node, const std::string& path,
                 net::PortSet* ports);
void DecodePresets(DecodeContext& context, const YamlNode& node, const std::string& path,
                   model::Vip* vip);
// The fields of a real server in `reader`, whose known fields include kServerSpecFields.
void DecodeServerFields(const MapReader& reader, model::ServerSpec* spec);
// A mapping of strings to strings, such as labels.
void DecodeStringMap(DecodeContext& context, const YamlNode& node, const std::string& path,
                     std::map<std::string, std::string>* out);

}  // namespace fairlead::source
