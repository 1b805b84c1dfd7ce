// The program: turns argv into words and hands them to the table of commands.
#include <string>
#include <vector>

#include "cmd/fairlead/commands.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return fairlead::cmd::RunCommandLine(arguments);
}
