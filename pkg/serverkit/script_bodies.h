// The texts of linux.sh and windows.ps1 beside this file, embedded by CMakeLists.txt. They are all
// of the script but its first lines, which hold what the command line said.
#pragma once

namespace fairlead::serverkit {

extern const char kLinuxBody[];
extern const char kWindowsBody[];

}  // namespace fairlead::serverkit
