// DecodeManifests over any bytes: no crash, no hang, no memory beyond the text's size; what is not
// good is told, printable and bounded; the cache of documents changes no result.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "pkg/model/desired_state.h"
#include "pkg/source/manifest_decoder.h"
#include "pkg/source/manifest_store.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckFinding(const fairlead::model::Finding& finding) {
  const std::string line = finding.ToString();
  Require(line.size() < 4096);
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    Require(byte >= 0x20 && byte != 0x7f);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fairlead;  // NOLINT(google-build-using-namespace): a program of one function
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  source::DocumentCache cache;
  const source::DecodeResult first = source::DecodeManifests(text, "fuzz.yaml", &cache);
  const source::DecodeResult second = source::DecodeManifests(text, "fuzz.yaml", &cache);
  Require(first.vips == second.vips && first.real_servers == second.real_servers &&
          first.nodes == second.nodes && first.rejected == second.rejected &&
          first.findings == second.findings && first.complete == second.complete);
  for (const model::Finding& finding : first.findings) CheckFinding(finding);
  // Whatever is refused is told.
  Require(first.findings.size() >= first.rejected.size());
  Require(first.complete || !first.findings.empty());
  // A good object stays good.
  for (const model::Vip& vip : first.vips) {
    for (const model::Finding& finding : model::Validate(vip)) {
      Require(finding.severity == model::Severity::kWarning);
    }
  }
  source::ManifestStore store({});
  source::Reading reading;
  reading.files.push_back(std::make_shared<const source::DecodeResult>(first));
  const auto state = store.Merge(reading);
  Require(*store.Merge(reading) == *state);
  return 0;
}
