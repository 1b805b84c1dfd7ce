// `healthCheck` of a VIP.
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pkg/model/suggestion.h"
#include "pkg/source/object_decoders.h"

namespace fairlead::source {
namespace {

using Type = model::HealthCheck::Type;

constexpr char kPath[] = "spec.healthCheck";
constexpr NamedValue<Type> kTypes[] = {{"TCP", Type::kTcp},   {"SendExpect", Type::kSendExpect},
                                       {"HTTP", Type::kHttp}, {"HTTPS", Type::kHttps},
                                       {"ICMP", Type::kIcmp}, {"None", Type::kNone}};
constexpr absl::string_view kFields[] = {"type",
                                         "port",
                                         "halfOpen",
                                         "intervalSeconds",
                                         "timeoutSeconds",
                                         "unhealthyThreshold",
                                         "healthyThreshold",
                                         "http",
                                         "sendExpect",
                                         "unansweredHandshakes"};
constexpr absl::string_view kHttpFields[] = {"path", "host", "expectedStatuses"};
constexpr absl::string_view kSendExpectFields[] = {"send", "expect"};
constexpr absl::string_view kUnansweredFields[] = {"threshold", "percent", "windowSeconds",
                                                   "holdSeconds"};

// "200" or "200-399"; nothing when it is neither.
std::optional<model::StatusRange> ParseStatusRange(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> ends =
      absl::StrSplit(text, absl::MaxSplits('-', 1));
  const bool is_range = text.find('-') != absl::string_view::npos;
  const absl::string_view first = absl::StripAsciiWhitespace(ends.first);
  const absl::string_view last = is_range ? absl::StripAsciiWhitespace(ends.second) : first;
  model::StatusRange range;
  const bool short_enough = first.size() <= 3 && last.size() <= 3;
  if (!short_enough || !absl::SimpleAtoi(first, &range.first) ||
      !absl::SimpleAtoi(last, &range.last)) {
    return std::nullopt;
  }
  return range;
}

void DecodeStatuses(const MapReader& reader, std::vector<model::StatusRange>* out) {
  const YamlNode* node = reader.Find("expectedStatuses");
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::kScalar) {
    reader.Error("expectedStatuses",
                 absl::StrCat("must be a string such as \"200-399\", not ", DescribeKind(*node)));
    return;
  }
  std::vector<model::StatusRange> ranges;
  for (const absl::string_view item : absl::StrSplit(node->text, ',')) {
    const std::optional<model::StatusRange> range = ParseStatusRange(item);
    if (!range.has_value()) {
      reader.Error(
          "expectedStatuses",
          absl::StrCat(model::Quoted(item), " is not an HTTP status or a range such as 200-399"));
      continue;
    }
    ranges.push_back(*range);
  }
  *out = std::move(ranges);
}

void DecodePort(const MapReader& reader, model::HealthCheck* check) {
  const YamlNode* node = reader.Find("port");
  if (node == nullptr) return;
  if (node->kind == YamlNode::Kind::kScalar && node->text == "Each") {
    check->each_port = true;
  } else if (reader.ReadInteger("port", model::kPortLimits, &check->port)) {
    check->port_from_manifest = true;
  }
}

// `type_known`: the type was read, so that a block for another type is a mistake of its own.
void DecodeHttp(const MapReader& reader, bool type_known, model::HealthCheck* check) {
  const YamlNode* node = reader.Find("http");
  if (node == nullptr) return;
  const MapReader http(reader.context(), *node, reader.PathOf("http"), kHttpFields);
  if (type_known && check->type != Type::kHttp && check->type != Type::kHttps) {
    reader.Error("http",
                 absl::StrCat("http is for type HTTP or HTTPS, not ",
                              HealthCheckTypeName(check->type), "; set the type or remove http"));
  }
  http.ReadString("path", &check->http_path);
  http.ReadString("host", &check->http_host);
  DecodeStatuses(http, &check->expected_statuses);
}

void DecodeSendExpect(const MapReader& reader, bool type_known, model::HealthCheck* check) {
  const YamlNode* node = reader.Find("sendExpect");
  if (node == nullptr) return;
  const MapReader texts(reader.context(), *node, reader.PathOf("sendExpect"), kSendExpectFields);
  if (type_known && check->type != Type::kSendExpect) {
    reader.Error("sendExpect", absl::StrCat("sendExpect is for type SendExpect, not ",
                                            HealthCheckTypeName(check->type),
                                            "; set the type or remove sendExpect"));
  }
  texts.ReadString("send", &check->send);
  texts.ReadString("expect", &check->expect);
}

void DecodeUnansweredHandshakes(const MapReader& reader, model::UnansweredHandshakes* unanswered) {
  const YamlNode* node = reader.Find("unansweredHandshakes");
  if (node == nullptr) return;
  const MapReader rule(reader.context(), *node, reader.PathOf("unansweredHandshakes"),
                       kUnansweredFields);
  rule.ReadInteger("threshold", model::kUnansweredThresholdLimits, &unanswered->threshold);
  rule.ReadInteger("percent", model::kUnansweredPercentLimits, &unanswered->percent);
  rule.ReadSeconds("windowSeconds", model::kUnansweredWindowLimits, &unanswered->window);
  rule.ReadSeconds("holdSeconds", model::kUnansweredHoldLimits, &unanswered->hold);
}

}  // namespace

void DecodeHealthCheck(DecodeContext& context, const YamlNode& node, model::HealthCheck* check) {
  const MapReader reader(context, node, kPath, kFields);
  const bool type_known =
      reader.ReadEnum<Type>("type", kTypes, &check->type) || reader.Find("type") == nullptr;
  DecodePort(reader, check);
  reader.ReadBool("halfOpen", &check->half_open);
  reader.ReadSeconds("intervalSeconds", model::kCheckIntervalLimits, &check->interval);
  reader.ReadSeconds("timeoutSeconds", model::kCheckTimeoutLimits, &check->timeout);
  reader.ReadInteger("unhealthyThreshold", model::kThresholdLimits, &check->unhealthy_threshold);
  reader.ReadInteger("healthyThreshold", model::kThresholdLimits, &check->healthy_threshold);
  DecodeHttp(reader, type_known, check);
  DecodeSendExpect(reader, type_known, check);
  DecodeUnansweredHandshakes(reader, &check->unanswered_handshakes);
}

}  // namespace fairlead::source
