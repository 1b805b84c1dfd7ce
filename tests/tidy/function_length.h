// Finds the functions of a C++ file by their braces.
#pragma once

#include <string>
#include <vector>

namespace fairlead::tidy {

struct FunctionSpan {
  std::string name;  // the text before its parameters, for messages
  size_t first_line = 0;
  size_t last_line = 0;

  size_t length() const { return last_line - first_line + 1; }
};

// Functions at namespace or class scope, tests included; lambdas count with the function that holds
// them. `code` has its comments and literals blanked. Simple by intent: it knows the shapes that
// clang-format leaves, not C++.
std::vector<FunctionSpan> FindFunctions(const std::vector<std::string>& code);

}  // namespace fairlead::tidy
