// The program: turns argv into words and hands them to the table of commands, its own or, called as
// a plugin of kubectl, that one's.
#include <string>
#include <vector>

#include "cmd/fairlead/commands.h"
#include "cmd/fairlead/kubectl.h"

int main(int argc, char** argv) {
  if (argc == 0) return 2;  // execve(2) allows it
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (fairlead::cmd::IsKubectlPlugin(argv[0])) {
    return fairlead::cmd::RunKubectlCommandLine(arguments);
  }
  return fairlead::cmd::RunCommandLine(arguments);
}
