// An API object as the decoder of manifests takes it: what the object wants, without what changes
// all the time (status, managers, versions). Pure.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "pkg/kube/reflector.h"
#include "pkg/kube/resource.h"
#include "pkg/model/vip.h"
#include "pkg/source/manifest_decoder.h"

namespace fairlead::kube {

// The name of an object in findings and in the log: "vips/default/web".
std::string FileNameOf(const Resource& resource, const std::string& name_space,
                       const std::string& name);

// apiVersion, kind, name, namespace, labels, time of creation and spec; of a VIP with an
// addressPoolRef the addresses of its status too. Equal texts (dump()) want the same.
nlohmann::json InputOf(const Resource& resource, const nlohmann::json& object);

// Decodes and validates what InputOf gave. A VIP of a mode that is not in `modes` is marked as
// `elsewhere`. Places are the file name alone: JSON has no lines for people.
std::shared_ptr<const source::DecodeResult> DecodeInput(const Resource& resource,
                                                        const nlohmann::json& input,
                                                        const std::set<model::Mode>& modes);

// The mode that a VIP asks for, decoded or not.
model::Mode ModeOf(const nlohmann::json& vip);

// The string at a path of object fields, "" where there is none.
std::string StringAt(const nlohmann::json& object, std::initializer_list<const char*> path);
// The value there, null where there is none.
const nlohmann::json& ValueAt(const nlohmann::json& object,
                              std::initializer_list<const char*> path);

}  // namespace fairlead::kube
