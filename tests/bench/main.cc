// bench_traffic: the client and the server of tests/bench/run, which is what people start.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/client.h"
#include "tests/bench/idle_client.h"
#include "tests/bench/server.h"
#include "tests/bench/socket.h"

namespace fairlead::bench {
namespace {

constexpr char kUsage[] =
    "usage: bench_traffic serve ADDRESS:PORT\n"
    "       bench_traffic idle ADDRESS:PORT\n"
    "       bench_traffic requests|connects|download|upload ADDRESS:PORT [--connections N]\n"
    "           [--answer BYTES] [--rate REQUESTS_PER_SECOND] [--warm-up-ms N] [--duration-ms N] "
    "[--pid PID]... [--cpu N]\n"
    "           [--count-syscalls 1]\n";

[[noreturn]] void Usage() {
  std::fputs(kUsage, stderr);
  std::exit(2);
}

Mode ParseMode(std::string_view text) {
  if (text == "requests") return Mode::kRequests;
  if (text == "connects") return Mode::kConnects;
  if (text == "download") return Mode::kDownload;
  if (text == "upload") return Mode::kUpload;
  Usage();
}

ClientOptions ParseOptions(const std::vector<std::string>& words) {
  ClientOptions options;
  options.mode = ParseMode(words[0]);
  options.target = ParseEndpoint(words[1]);
  for (size_t i = 2; i < words.size(); i += 2) {
    if (i + 1 == words.size()) Usage();
    const unsigned long value = std::strtoul(words[i + 1].c_str(), nullptr, 10);
    if (words[i] == "--connections") {
      options.connections = static_cast<uint32_t>(value);
    } else if (words[i] == "--answer") {
      options.answer_size = value;
    } else if (words[i] == "--rate") {
      options.rate = value;
    } else if (words[i] == "--warm-up-ms") {
      options.warm_up_ms = value;
    } else if (words[i] == "--duration-ms") {
      options.duration_ms = value;
    } else if (words[i] == "--pid") {
      options.process_ids.push_back(static_cast<int>(value));
    } else if (words[i] == "--cpu") {
      options.cpu = value;
    } else if (words[i] == "--count-syscalls") {
      options.counts_syscalls = value != 0;
    } else {
      Usage();
    }
  }
  if (options.connections == 0 || options.answer_size == 0) Usage();
  return options;
}

void Main(const std::vector<std::string>& words) {
  if (words.size() < 2) Usage();
  if (words[0] == "serve") Serve(ParseEndpoint(words[1]));
  if (words[0] == "idle") return RunIdleClient(ParseEndpoint(words[1]));
  RunClient(ParseOptions(words));
}

}  // namespace
}  // namespace fairlead::bench

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  fairlead::bench::Main(std::vector<std::string>(argv + 1, argv + argc));
  return 0;
}
