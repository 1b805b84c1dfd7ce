#include "pkg/model/object.h"

namespace fairlead::model {

const char* ObjectKindName(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kVip:
      return "VIP";
    case ObjectKind::kRealServer:
      return "RealServer";
    case ObjectKind::kNode:
      return "Node";
    case ObjectKind::kAddressPool:
      return "AddressPool";
  }
  return "Unknown";
}

std::string ObjectId::QualifiedName() const {
  return name_space.empty() ? name : absl::StrCat(name_space, "/", name);
}

std::string ObjectId::ToString() const {
  return absl::StrCat(ObjectKindName(kind), " ", QualifiedName());
}

std::string SourceLocation::ToString() const {
  return line > 0 ? absl::StrCat(file, ":", line, ":", column) : file;
}

std::string Finding::ToString() const {
  const std::string place = location.ToString();
  return absl::StrCat(place, place.empty() ? "" : ": ",
                      severity == Severity::kError ? "error: " : "warning: ", object,
                      object.empty() ? "" : ": ", field, field.empty() ? "" : ": ", message);
}

}  // namespace fairlead::model
