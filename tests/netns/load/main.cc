// netns_load: a load generator for the end-to-end suite. It prints "ready", and one JSON
// object at the end.
#include <signal.h>
#include <stdio.h>

#include "tests/netns/load/generator.h"
#include "tests/netns/load/options.h"

namespace {
volatile int g_stop = 0;
void OnSignal(int) { g_stop = 1; }
}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGTERM, OnSignal);
  ::signal(SIGINT, OnSignal);
  ::signal(SIGPIPE, SIG_IGN);
  fairlead::netns::Generator generator(fairlead::netns::ParseOptions(argc, argv));
  ::puts("ready");  // SIGTERM ends it in order from here on
  ::fflush(stdout);
  generator.Run(&g_stop);
  ::fputs(generator.report().ToJson().c_str(), stdout);
  return 0;
}
