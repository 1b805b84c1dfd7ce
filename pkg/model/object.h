// What every object of the configuration has: an identity, the place where it was written, and the
// findings about it. Values, no I/O.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fairlead::model {

inline constexpr char kApiVersion[] = "lb.fairlead.dev/v1alpha1";
inline constexpr char kVipLabel[] = "lb.fairlead.dev/vip";

enum class ObjectKind { kVip, kRealServer, kNode, kAddressPool };

// "VIP", "RealServer", "Node", "AddressPool".
const char* ObjectKindName(ObjectKind kind);

struct ObjectId {
  ObjectKind kind = ObjectKind::kVip;
  std::string name_space;  // "default" when the manifest names none; "" for cluster-scoped kinds
  std::string name;

  // "VIP default/dispatcher" (or "Node lb1").
  std::string ToString() const;
  // "default/dispatcher" (or "lb1").
  std::string QualifiedName() const;

  friend bool operator==(const ObjectId&, const ObjectId&) = default;
  friend std::strong_ordering operator<=>(const ObjectId&, const ObjectId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ObjectId& id) {
    return H::combine(std::move(h), id.kind, id.name_space, id.name);
  }
};

// Lines and columns count from 1; line 0 means that the place is not known.
struct SourceLocation {
  std::string file;
  int line = 0;
  int column = 0;

  // "dir/dispatcher.yaml:12:3"; without a line only the file.
  std::string ToString() const;
  friend bool operator==(const SourceLocation&, const SourceLocation&) = default;
};

enum class Severity { kWarning, kError };

// One thing that is wrong with one object (or with a file, when `object` is empty). An object with
// at least one error is rejected; warnings are told and the object is used.
struct Finding {
  Severity severity = Severity::kError;
  std::string object;  // "VIP default/dispatcher", or "" for a file that holds no object
  SourceLocation location;
  std::string field;    // "spec.ports", or ""
  std::string message;  // value and reason, and what to do instead

  // "dir/a.yaml:12:3: error: VIP default/dispatcher: spec.ports: port 70000 > 65535".
  std::string ToString() const;
  friend bool operator==(const Finding&, const Finding&) = default;
};

}  // namespace fairlead::model
