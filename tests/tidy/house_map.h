// The house's rules as pkg/README.md states them: the table of rooms is read from the document, so
// that the map and the check cannot differ.
#pragma once

#include <map>
#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace fairlead::tidy {

struct RoomRules {
  bool includes_everything = false;
  std::set<std::string> rooms;        // "net", "dataplane/snat"
  std::set<std::string> headers;      // single headers of other rooms: "controller/view.h"
  std::set<std::string> third_party;  // headers or folders: "liburing.h", "yaml-cpp/"
};

struct HouseMap {
  std::map<std::string, RoomRules> rooms;

  // Everything that some room may use and the others may not.
  std::set<std::string> AllThirdParty() const;
};

// Reads the table whose header is "| room | may include | third-party headers |".
absl::StatusOr<HouseMap> ReadHouseMap(const std::string& path);

}  // namespace fairlead::tidy
