#include "pkg/controller/metrics.h"

#include <array>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"

namespace fairlead::controller {
namespace {

using model::AdminState;
using model::OperationalState;
using telemetry::MetricLabels;
using telemetry::MetricsWriter;
using telemetry::MetricType;

MetricLabels VipLabels(const VipView& vip) {
  return {{"namespace", vip.name_space}, {"vip", vip.name}};
}

MetricLabels ServerLabels(const VipView& vip, const ServerView& server) {
  return {{"namespace", vip.name_space}, {"vip", vip.name}, {"server", server.name}};
}

MetricLabels With(MetricLabels labels, absl::string_view name, absl::string_view value) {
  labels.emplace_back(name, value);
  return labels;
}

double UnixSeconds(absl::Time time) { return absl::ToDoubleSeconds(time - absl::UnixEpoch()); }

// One family with one integer per VIP.
struct VipFamily {
  const char* name;
  MetricType type;
  const char* help;
  uint64_t (*value)(const VipView& vip);
  bool (*has_sample)(const VipView& vip) = [](const VipView&) { return true; };
};

constexpr VipFamily kVipFamilies[] = {
    {"fairlead_vip_connections", MetricType::kGauge, "Connections of clients now.",
     [](const VipView& vip) { return vip.counters.connections_active; },
     [](const VipView& vip) { return vip.counters.counts_active; }},
    {"fairlead_vip_connections_total", MetricType::kCounter, "Connections accepted from clients.",
     [](const VipView& vip) { return vip.counters.connections_total; }},
    {"fairlead_vip_queue_length", MetricType::kGauge,
     "Clients that wait for a free real server (maxConnections).",
     [](const VipView& vip) { return vip.counters.queue_length; }},
    {"fairlead_vip_retries_total", MetricType::kCounter,
     "Connect attempts to real servers after the first one of a connection.",
     [](const VipView& vip) { return vip.counters.retries_total; }},
    {"fairlead_vip_fallback_total", MetricType::kCounter,
     "Connections sent to the fallback server.",
     [](const VipView& vip) { return vip.counters.fallback_total; }},
    {"fairlead_vip_client_resets_total", MetricType::kCounter,
     "Established connections that the client reset.",
     [](const VipView& vip) { return vip.counters.client_resets_total; }},
    {"fairlead_vip_transparent_timeouts_total", MetricType::kCounter,
     "Connects with a client's own address (clientAddress Transparent) that timed out.",
     [](const VipView& vip) { return vip.counters.transparent_timeouts_total; }},
    {"fairlead_vip_max_connections", MetricType::kGauge,
     "Limit of connections of the VIP; 0 = unlimited.",
     [](const VipView& vip) { return uint64_t{vip.connections_max}; }},
    {"fairlead_vip_unknown_arp_hosts", MetricType::kGauge,
     "Hosts that answer ARP or neighbour discovery for the VIP and are none of its real servers.",
     [](const VipView& vip) { return uint64_t{vip.arp_unknown_hosts}; }},
    {"fairlead_vip_served", MetricType::kGauge,
     "1 when the VIP is enabled and all its listeners are open.",
     [](const VipView& vip) { return uint64_t{vip.problem.empty()}; }},
};

struct ServerFamily {
  const char* name;
  MetricType type;
  const char* help;
  uint64_t (*value)(const ServerView& server);
  bool (*has_sample)(const ServerView& server) = [](const ServerView&) { return true; };
};

constexpr ServerFamily kServerFamilies[] = {
    {"fairlead_server_up", MetricType::kGauge, "1 when the health checks say Up.",
     [](const ServerView& server) { return uint64_t{server.health == OperationalState::kUp}; }},
    {"fairlead_server_draining", MetricType::kGauge, "1 when the state is Drain or Halt.",
     [](const ServerView& server) { return uint64_t{server.admin != AdminState::kOnline}; }},
    {"fairlead_server_direct", MetricType::kGauge,
     "1 when clients' packets go to the real server directly (DR), 0 by the proxy (SNAT).",
     [](const ServerView& server) { return uint64_t{server.way == dataplane::Way::kDirect}; }},
    {"fairlead_server_connections", MetricType::kGauge, "Connections to the real server now.",
     [](const ServerView& server) { return server.counters.connections_active; },
     [](const ServerView& server) { return server.counters.counts_active; }},
    {"fairlead_server_max_connections", MetricType::kGauge,
     "Limit of connections of the real server; 0 = unlimited.",
     [](const ServerView& server) { return uint64_t{server.connections_max}; }},
    {"fairlead_server_connections_total", MetricType::kCounter,
     "Connections made to the real server.",
     [](const ServerView& server) { return server.counters.connections_total; }},
    {"fairlead_server_connect_failures_total", MetricType::kCounter,
     "Connect attempts that the real server refused or did not answer.",
     [](const ServerView& server) { return server.counters.connect_failures_total; }},
    {"fairlead_server_sessions_cut_total", MetricType::kCounter,
     "Connections reset by the balancer: server unreachable, drain deadline, halt grace.",
     [](const ServerView& server) { return server.counters.sessions_cut_total; }},
    {"fairlead_server_resets_total", MetricType::kCounter,
     "Established connections that the real server reset.",
     [](const ServerView& server) { return server.counters.resets_total; }},
    {"fairlead_server_idle_timeouts_total", MetricType::kCounter,
     "Connections ended because no byte moved for the idle time.",
     [](const ServerView& server) { return server.counters.idle_timeouts_total; }},
    {"fairlead_server_sent_bytes_total", MetricType::kCounter, "Bytes sent to the real server.",
     [](const ServerView& server) { return server.counters.bytes_to_server_total; }},
    {"fairlead_server_received_bytes_total", MetricType::kCounter,
     "Bytes received from the real server.",
     [](const ServerView& server) { return server.counters.bytes_from_server_total; }},
    {"fairlead_server_handshakes_watched_total", MetricType::kCounter,
     "Mode DR: handshakes that were watched (SYNs; a sample where not every flow is recorded).",
     [](const ServerView& server) { return server.counters.handshakes->watched_total; },
     [](const ServerView& server) { return server.counters.handshakes.has_value(); }},
    {"fairlead_server_handshakes_progressed_total", MetricType::kCounter,
     "Mode DR: of the handshakes that were watched, those that a packet of the client's followed.",
     [](const ServerView& server) { return server.counters.handshakes->progressed_total; },
     [](const ServerView& server) { return server.counters.handshakes.has_value(); }},
    {"fairlead_server_handshakes_held", MetricType::kGauge,
     "1 while the real server gets no new clients because handshakes with it go unanswered.",
     [](const ServerView& server) {
       return uint64_t{server.handshakes.phase == HandshakeVerdict::Phase::kHeld};
     },
     [](const ServerView& server) { return server.judged_by_handshakes; }},
    {"fairlead_server_handshakes_held_total", MetricType::kCounter, "How often that began.",
     [](const ServerView& server) { return server.handshakes.held_total; },
     [](const ServerView& server) { return server.judged_by_handshakes; }},
    {"fairlead_server_probes_total", MetricType::kCounter, "Health checks run.",
     [](const ServerView& server) { return server.probes_total; }},
    {"fairlead_server_probe_failures_total", MetricType::kCounter, "Health checks that failed.",
     [](const ServerView& server) { return server.probe_failures_total; }},
};

// The states of fairlead_vip_servers; each server counts in exactly one.
const char* ServerStateLabel(const ServerView& server) {
  if (server.admin == AdminState::kHalt) return "halt";
  if (server.admin == AdminState::kDrain) return "drain";
  switch (server.health) {
    case OperationalState::kUp:
      return "up";
    case OperationalState::kDown:
      return "down";
    case OperationalState::kUnknown:
      return "unknown";
  }
  return "unknown";
}

void WriteVipServers(const ControlView& view, MetricsWriter* writer) {
  writer->Family("fairlead_vip_servers", MetricType::kGauge,
                 "Real servers of the VIP by state; each counts once.");
  for (const VipView& vip : view.vips) {
    for (const char* state : {"up", "down", "unknown", "drain", "halt"}) {
      uint64_t count = 0;
      for (const ServerView& server : vip.servers) {
        count += absl::string_view(ServerStateLabel(server)) == state;
      }
      writer->Sample(With(VipLabels(vip), "state", state), count);
    }
  }
}

void WriteAnnouncements(const ControlView& view, MetricsWriter* writer) {
  const auto each = [&](const auto& value) {
    for (const VipView& vip : view.vips) {
      for (const AnnouncementView& announced : vip.announcements) {
        writer->Sample(With(VipLabels(vip), "address", announced.address.ToString()),
                       value(announced));
      }
    }
  };
  writer->Family("fairlead_vip_address_held", MetricType::kGauge,
                 "1 when this host has brought the address up (advertise type L2).");
  each([](const AnnouncementView& announced) { return uint64_t{announced.state == "Held"}; });
  writer->Family("fairlead_vip_address_rival", MetricType::kGauge,
                 "1 when another host claims an address that this host has brought up.");
  each([](const AnnouncementView& announced) { return uint64_t{!announced.rival.empty()}; });
  writer->Family("fairlead_vip_announcements_total", MetricType::kCounter,
                 "Gratuitous ARP requests and unsolicited neighbour advertisements sent.");
  each([](const AnnouncementView& announced) { return announced.announcements_total; });
}

void WritePair(const ControlView& view, MetricsWriter* writer) {
  if (!view.pair.has_value()) return;
  const PairView& pair = *view.pair;
  writer->Family("fairlead_pair_master", MetricType::kGauge,
                 "1 when this host of the pair owns the VIPs' addresses.");
  writer->Sample({}, uint64_t{pair.state == "Master" || pair.state == "Resigning"});
  writer->Family("fairlead_pair_fault", MetricType::kGauge,
                 "1 when this host cannot take part in the pair.");
  writer->Sample({}, uint64_t{pair.state == "Fault"});
  writer->Family("fairlead_pair_priority", MetricType::kGauge,
                 "Priority that this host advertises; 1 while no VIP has a real server left.");
  writer->Sample({}, uint64_t{pair.priority});
  writer->Family("fairlead_pair_transitions_total", MetricType::kCounter,
                 "Changes of this host's state in the pair.");
  writer->Sample({}, pair.transitions_total);
  writer->Family("fairlead_pair_packets_total", MetricType::kCounter,
                 "VRRP packets: sent, failed to be sent, received, refused.");
  writer->Sample({{"what", "sent"}}, pair.sent_total);
  writer->Sample({{"what", "send_failed"}}, pair.send_failures_total);
  writer->Sample({{"what", "received"}}, pair.received_total);
  writer->Sample({{"what", "refused"}}, pair.refused_total);
}

void WriteRejections(const ControlView& view, MetricsWriter* writer) {
  writer->Family("fairlead_vip_rejections_total", MetricType::kCounter,
                 "Clients turned away, by reason.");
  for (const VipView& vip : view.vips) {
    for (size_t i = 0; i < dataplane::kRejectionCount; ++i) {
      const char* reason = dataplane::RejectionName(static_cast<dataplane::Rejection>(i));
      writer->Sample(With(VipLabels(vip), "reason", reason), vip.counters.rejections_total[i]);
    }
  }
}

void WriteConnectLatency(const ControlView& view, MetricsWriter* writer) {
  writer->Family("fairlead_vip_connect_seconds", MetricType::kHistogram,
                 "Time from the connect attempt to the established connection to a real server.");
  for (const VipView& vip : view.vips) {
    writer->Histogram(VipLabels(vip), dataplane::kConnectLatencyBounds,
                      vip.counters.connect_latency_buckets,
                      vip.counters.connect_latency_seconds_sum);
  }
}

void WritePortFamily(const ControlView& view, const char* name, const char* help,
                     uint64_t dataplane::PortObservation::*value, MetricsWriter* writer) {
  writer->Family(name, MetricType::kCounter, help);
  for (const VipView& vip : view.vips) {
    for (const dataplane::PortObservation& port : vip.counters.ports) {
      writer->Sample(With(VipLabels(vip), "port", absl::StrCat(port.port)), port.*value);
    }
  }
}

void WritePorts(const ControlView& view, MetricsWriter* writer) {
  using dataplane::PortObservation;
  WritePortFamily(view, "fairlead_port_connections_total", "Connections accepted, by VIP port.",
                  &PortObservation::connections_total, writer);
  WritePortFamily(view, "fairlead_port_received_bytes_total",
                  "Bytes received from clients, by VIP port.",
                  &PortObservation::bytes_from_client_total, writer);
  WritePortFamily(view, "fairlead_port_sent_bytes_total", "Bytes sent to clients, by VIP port.",
                  &PortObservation::bytes_to_client_total, writer);
}

void WriteAddresses(const ControlView& view, MetricsWriter* writer) {
  writer->Family("fairlead_vip_address_on_host", MetricType::kGauge,
                 "1 when the address is on an interface of this host.");
  for (const VipView& vip : view.vips) {
    if (!vip.addresses_known) continue;
    for (const dataplane::AddressOutcome& outcome : vip.addresses) {
      const std::string address = outcome.address.ToString();
      writer->Sample(With(VipLabels(vip), "address", address),
                     uint64_t{!outcome.interface.empty()});
    }
  }
}

void Gauge(const char* name, const char* help, uint64_t value, MetricsWriter* writer) {
  writer->Family(name, MetricType::kGauge, help);
  writer->Sample({}, value);
}

void Counter(const char* name, const char* help, uint64_t value, MetricsWriter* writer) {
  writer->Family(name, MetricType::kCounter, help);
  writer->Sample({}, value);
}

void WriteXdp(const dataplane::PlaneObservation& plane, MetricsWriter* writer) {
  if (plane.interfaces.empty() && plane.packets.empty()) return;
  writer->Family("fairlead_xdp_interface_info", MetricType::kGauge,
                 "Always 1; an interface that mode DR forwards on, in which mode of XDP, or tc.");
  for (const dataplane::InterfaceObservation& interface : plane.interfaces) {
    writer->Sample({{"interface", interface.name}, {"mode", interface.mode}}, uint64_t{1});
  }
  writer->Family("fairlead_xdp_interface_verified", MetricType::kGauge,
                 "1 when a real packet came in and went out by the program in that mode.");
  for (const dataplane::InterfaceObservation& interface : plane.interfaces) {
    writer->Sample({{"interface", interface.name}}, uint64_t{interface.verified ? 1U : 0U});
  }
  writer->Family("fairlead_xdp_packets_not_forwarded_total", MetricType::kCounter,
                 "Packets that mode DR passed to the host's stack or dropped, by reason.");
  for (const dataplane::PacketsObservation& packets : plane.packets) {
    writer->Sample({{"reason", packets.reason}}, packets.packets_total);
  }
}

void WritePlane(const ControlView& view, MetricsWriter* writer) {
  const dataplane::PlaneObservation& plane = view.plane;
  writer->Family("fairlead_io_engine_info", MetricType::kGauge,
                 "Always 1; the engine that moves the bytes and why it is not io_uring.");
  writer->Sample({{"engine", plane.engine}, {"reason", plane.engine_reason}}, uint64_t{1});
  Gauge("fairlead_shards", "Threads that serve clients.", static_cast<uint64_t>(plane.shards),
        writer);
  Gauge("fairlead_plan_revision", "Revision of the newest plan.", view.plan_revision, writer);
  Gauge("fairlead_plan_applied_revision", "Revision of the plan that every shard uses.",
        plane.applied_revision, writer);
  Gauge("fairlead_sessions", "Sessions in use.", plane.sessions_active, writer);
  Gauge("fairlead_sessions_max", "Sessions that fit into this process.", plane.sessions_max,
        writer);
  Gauge("fairlead_buffers_in_use", "Receive buffers that hold bytes now.", plane.buffers_in_use,
        writer);
  Counter("fairlead_buffers_exhausted_total", "Receives that had to wait for a free buffer.",
          plane.buffers_exhausted_total, writer);
  Counter("fairlead_splice_promotions_total", "Directions that moved on to splice(2).",
          plane.splice_promotions_total, writer);
  Counter("fairlead_accept_pauses_total",
          "Times that accepting stopped for a while: no session slot or descriptor left.",
          plane.accept_pauses_total, writer);
  WriteXdp(plane, writer);
}

void WriteConfig(const ControlView& view, MetricsWriter* writer) {
  uint64_t rejected = 0;
  uint64_t warnings = 0;
  for (const model::Finding& finding : view.findings) {
    ++(finding.severity == model::Severity::kError ? rejected : warnings);
  }
  Gauge("fairlead_config_rejected", "Errors in the configuration as it was last read.", rejected,
        writer);
  Gauge("fairlead_config_warnings", "Warnings about the configuration as it was last read.",
        warnings, writer);
  Gauge("fairlead_config_stale_objects",
        "Objects whose last good version is in force because their text is rejected.",
        view.stale_objects.size(), writer);
  if (view.config_health.has_value()) {
    Gauge("fairlead_config_source_stale",
          "1 while the API server is not followed, so that edits take no effect; what is in force "
          "stays.",
          view.config_health->problem.empty() ? 0 : 1, writer);
  }
  Counter("fairlead_config_changes_total", "Readings of the configuration that differed.",
          view.config_readings_total, writer);
  if (view.config_readings_total == 0) return;
  writer->Family(
      "fairlead_config_change_timestamp_seconds", MetricType::kGauge,
      "Unix time of the last change of the configuration; time() minus this is its age.");
  writer->Sample({}, UnixSeconds(view.config_changed));
}

void WritePaths(const ControlView& view, MetricsWriter* writer) {
  struct Family {
    const char* name;
    MetricType type;
    const char* help;
    uint64_t (*value)(const PathView& path);
  };
  constexpr Family kFamilies[] = {
      {"fairlead_server_direct_path_up", MetricType::kGauge,
       "1 when the real server serves the VIP through direct routing, asked by its MAC.",
       [](const PathView& path) { return uint64_t{path.state == OperationalState::kUp}; }},
      {"fairlead_server_direct_path_probes_total", MetricType::kCounter,
       "Checks through direct routing run.",
       [](const PathView& path) { return path.probes_total; }},
      {"fairlead_server_direct_path_probe_failures_total", MetricType::kCounter,
       "Checks through direct routing that failed.",
       [](const PathView& path) { return path.failures_total; }},
  };
  for (const Family& family : kFamilies) {
    writer->Family(family.name, family.type, family.help);
    for (const VipView& vip : view.vips) {
      for (const ServerView& server : vip.servers) {
        if (!server.path.has_value()) continue;
        writer->Sample(ServerLabels(vip, server), family.value(*server.path));
      }
    }
  }
  writer->Family("fairlead_server_answers_arp", MetricType::kGauge,
                 "1 when the real server answers ARP or neighbour discovery for the VIP, which in "
                 "direct routing it must not.");
  for (const VipView& vip : view.vips) {
    for (const ServerView& server : vip.servers) {
      if (!server.counters.direct_path.has_value()) continue;
      writer->Sample(ServerLabels(vip, server), uint64_t{!server.arp_problem.empty()});
    }
  }
}

void WriteServers(const ControlView& view, MetricsWriter* writer) {
  for (const ServerFamily& family : kServerFamilies) {
    writer->Family(family.name, family.type, family.help);
    for (const VipView& vip : view.vips) {
      for (const ServerView& server : vip.servers) {
        if (!family.has_sample(server)) continue;
        writer->Sample(ServerLabels(vip, server), family.value(server));
      }
    }
  }
  WritePaths(view, writer);
  writer->Family("fairlead_server_name_resolves", MetricType::kGauge,
                 "Of a real server with a host name: 1 when its last lookup gave an address; the "
                 "address in use is the label, \"\" while there is none.");
  for (const VipView& vip : view.vips) {
    for (const ServerView& server : vip.servers) {
      if (server.host_name.empty()) continue;
      const std::string address = server.has_address() ? server.address.ToString() : "";
      const bool resolves = server.has_address() && server.name_problem.empty();
      writer->Sample(
          With(With(ServerLabels(vip, server), "host_name", server.host_name), "address", address),
          uint64_t{resolves});
    }
  }
  writer->Family("fairlead_server_weight", MetricType::kGauge,
                 "Weight in force; below the manifest's during slow start.");
  for (const VipView& vip : view.vips) {
    for (const ServerView& server : vip.servers) {
      writer->Sample(ServerLabels(vip, server), server.weight_effective);
    }
  }
}

}  // namespace

void WriteMetrics(const ControlView& whole, MetricsDetail detail, MetricsWriter* writer) {
  // Another daemon has the figures of its VIPs.
  ControlView view = whole;
  std::erase_if(view.vips, [](const VipView& vip) { return vip.elsewhere; });
  for (const VipFamily& family : kVipFamilies) {
    writer->Family(family.name, family.type, family.help);
    for (const VipView& vip : view.vips) {
      if (family.has_sample(vip)) writer->Sample(VipLabels(vip), family.value(vip));
    }
  }
  WriteVipServers(view, writer);
  WriteAddresses(view, writer);
  WriteAnnouncements(view, writer);
  WritePair(view, writer);
  WriteRejections(view, writer);
  WriteConnectLatency(view, writer);
  WritePlane(view, writer);
  WriteConfig(view, writer);
  if (detail == MetricsDetail::kVip) return;
  WritePorts(view, writer);
  WriteServers(view, writer);
}

}  // namespace fairlead::controller
