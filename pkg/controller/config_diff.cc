#include "pkg/controller/config_diff.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fairlead::controller {
namespace {

// Collects the names of fields that differ.
class FieldList {
 public:
  template <typename T>
  FieldList& Compare(const char* name, const T& before, const T& after) {
    if (!(before == after)) names_.push_back(name);
    return *this;
  }
  std::string ToString() const { return absl::StrJoin(names_, ", "); }

 private:
  std::vector<const char*> names_;
};

template <typename Object>
std::vector<const Object*> SortedById(const std::vector<Object>& objects) {
  std::vector<const Object*> sorted;
  sorted.reserve(objects.size());
  for (const Object& object : objects) sorted.push_back(&object);
  const auto is_less = [](const Object* left, const Object* right) { return left->id < right->id; };
  // The source sorts them, so that this only looks.
  if (!std::is_sorted(sorted.begin(), sorted.end(), is_less)) {
    std::sort(sorted.begin(), sorted.end(), is_less);
  }
  return sorted;
}

Event ObjectEvent(absl::string_view message, const std::string& object, std::string reason) {
  Event event;
  event.message = message;
  event.kind = "object";
  event.subject = object;
  event.reason = std::move(reason);
  event.audience = Event::Audience::kListOnly;
  return event;
}

Event RemovedEvent(const model::ObjectId& id) {
  return ObjectEvent("config object removed", id.ToString(),
                     "it is not in the configuration any more");
}

template <typename Object>
void CompareObjects(const std::vector<Object>& before, const std::vector<Object>& after,
                    std::vector<Event>* events) {
  const std::vector<const Object*> old_objects = SortedById(before);
  const std::vector<const Object*> new_objects = SortedById(after);
  std::vector<Event> removed;
  auto old = old_objects.begin();
  for (const Object* object : new_objects) {
    for (; old != old_objects.end() && (*old)->id < object->id; ++old) {
      removed.push_back(RemovedEvent((*old)->id));
    }
    if (old == old_objects.end() || object->id < (*old)->id) {
      events->push_back(
          ObjectEvent("config object added", object->id.ToString(), object->location.ToString()));
      continue;
    }
    if (const std::string fields = ChangedFields(**old, *object); !fields.empty()) {
      events->push_back(ObjectEvent("config object changed", object->id.ToString(), fields));
    }
    ++old;
  }
  for (; old != old_objects.end(); ++old) removed.push_back(RemovedEvent((*old)->id));
  events->insert(events->end(), removed.begin(), removed.end());
}

Event FindingEvent(const model::Finding& finding) {
  const bool rejected = finding.severity == model::Severity::kError;
  const std::string field = finding.field.empty() ? "" : absl::StrCat(finding.field, ": ");
  Event event =
      ObjectEvent(rejected ? "config object rejected" : "config warning",
                  finding.object.empty() ? finding.location.file : finding.object,
                  absl::StrCat(finding.location.ToString(), ": ", field, finding.message));
  event.level = rejected ? base::LogLevel::kError : base::LogLevel::kWarning;
  event.detail = event.reason;
  return event;
}

bool SameNode(const std::optional<model::Node>& before, const std::optional<model::Node>& after) {
  if (before.has_value() != after.has_value()) return false;
  return !before.has_value() ||
         (before->admin_http == after->admin_http && before->admin_https == after->admin_https &&
          before->state_directory == after->state_directory &&
          before->interface == after->interface && before->pair == after->pair);
}

// The admin API and the state directory are chosen once, when the process starts.
Event NodeEvent() {
  Event event = ObjectEvent("node settings changed", "Node",
                            "they take effect at the next start of the daemon");
  event.level = base::LogLevel::kWarning;
  event.audience = Event::Audience::kEverybody;
  return event;
}

}  // namespace

std::string ChangedFields(const model::Vip& before, const model::Vip& after) {
  return FieldList()
      .Compare("spec.addresses", before.addresses, after.addresses)
      .Compare("spec.addressPoolRef", before.address_pool, after.address_pool)
      .Compare("spec.ports", before.ports, after.ports)
      .Compare("spec.protocol", before.protocol, after.protocol)
      .Compare("spec.mode", before.mode, after.mode)
      .Compare("spec.scheduler", before.scheduler, after.scheduler)
      .Compare("spec.persistence", before.persistence, after.persistence)
      .Compare("spec.healthCheck", before.health_check, after.health_check)
      .Compare("spec.realServers.selector", before.selector, after.selector)
      .Compare("spec.realServers.list", before.inline_servers, after.inline_servers)
      .Compare("spec.realServers.service", before.service, after.service)
      .Compare("spec.fallback", before.fallback, after.fallback)
      .Compare("spec.clientAddress", before.client_address, after.client_address)
      .Compare("spec.source", before.source, after.source)
      .Compare("spec.timeouts", before.timeouts, after.timeouts)
      .Compare("spec.maxConnections", before.connections_max, after.connections_max)
      .Compare("spec.slowStartSeconds", before.slow_start, after.slow_start)
      .Compare("spec.state", before.enabled, after.enabled)
      .Compare("spec.advertise", before.advertise, after.advertise)
      .ToString();
}

std::string ChangedFields(const model::RealServer& before, const model::RealServer& after) {
  return FieldList()
      .Compare("metadata.labels", before.labels, after.labels)
      .Compare("spec.address", std::tie(before.spec.host_name, before.spec.address),
               std::tie(after.spec.host_name, after.spec.address))
      .Compare("spec.port", before.spec.port, after.spec.port)
      .Compare("spec.weight", before.spec.weight, after.spec.weight)
      .Compare("spec.minConnections", before.spec.connections_min, after.spec.connections_min)
      .Compare("spec.maxConnections", before.spec.connections_max, after.spec.connections_max)
      .Compare("spec.state", before.spec.state, after.spec.state)
      .ToString();
}

bool SameServersAndChecks(const model::DesiredState& before, const model::DesiredState& after) {
  const auto same_vip = [](const model::Vip& left, const model::Vip& right) {
    // The addresses, the source and clientAddress decide which servers fit (model::ServerMisfit).
    return left.id == right.id && left.enabled == right.enabled && left.mode == right.mode &&
           left.protocol == right.protocol && left.ports == right.ports &&
           left.health_check == right.health_check && left.selector == right.selector &&
           left.inline_servers == right.inline_servers && left.service == right.service &&
           left.elsewhere == right.elsewhere && left.addresses == right.addresses &&
           left.client_address == right.client_address && left.source == right.source;
  };
  const auto same_server = [](const model::RealServer& left, const model::RealServer& right) {
    return left.id == right.id && left.labels == right.labels &&
           left.spec.host_name == right.spec.host_name && left.spec.address == right.spec.address &&
           left.spec.port == right.spec.port && left.spec.state == right.spec.state;
  };
  return before.services == after.services &&
         std::equal(before.vips.begin(), before.vips.end(), after.vips.begin(), after.vips.end(),
                    same_vip) &&
         std::equal(before.real_servers.begin(), before.real_servers.end(),
                    after.real_servers.begin(), after.real_servers.end(), same_server);
}

std::vector<Event> DescribeConfigChange(const model::DesiredState* before,
                                        const model::DesiredState& after) {
  static const model::DesiredState kNothing;
  std::vector<Event> events;
  if (before == nullptr) {
    before = &kNothing;
  } else if (!SameNode(before->node, after.node)) {
    events.push_back(NodeEvent());
  }
  CompareObjects(before->vips, after.vips, &events);
  CompareObjects(before->real_servers, after.real_servers, &events);
  absl::flat_hash_set<std::string> known;
  for (const model::Finding& finding : before->findings) known.insert(finding.ToString());
  for (const model::Finding& finding : after.findings) {
    if (!known.contains(finding.ToString())) events.push_back(FindingEvent(finding));
  }
  return events;
}

}  // namespace fairlead::controller
