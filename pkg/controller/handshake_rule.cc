#include "pkg/controller/handshake_rule.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fairlead::controller {
namespace {

using Phase = HandshakeVerdict::Phase;
using model::UnansweredHandshakes;

// Enough to place the window's end to within 2 %, and few enough for thousands of servers.
constexpr int kSamplesPerWindow = 50;

int TrialThreshold(const UnansweredHandshakes& limits) {
  const int share = static_cast<int>(std::ceil(limits.threshold * HandshakeRule::kTrialShare));
  return std::min(limits.threshold, std::max(share, HandshakeRule::kTrialFailuresMin));
}

bool AreUnanswered(const UnansweredHandshakes& limits, int threshold, uint64_t unanswered,
                   uint64_t watched) {
  return unanswered >= static_cast<uint64_t>(threshold) &&
         unanswered * 100 >= watched * static_cast<uint64_t>(limits.percent);
}

}  // namespace

const char* HandshakePhaseName(HandshakeVerdict::Phase phase) {
  switch (phase) {
    case Phase::kServing:
      return "Serving";
    case Phase::kHeld:
      return "Held";
    case Phase::kTrial:
      return "Trial";
  }
  return "";
}

bool HandshakeRule::Serves(const Server& server) {
  return server.input.usable && server.verdict.phase != Phase::kHeld;
}

void HandshakeRule::Look(const UnansweredHandshakes& limits, const HandshakeInputs& inputs,
                         absl::Duration now) {
  std::erase_if(servers_, [&](const auto& entry) { return !inputs.contains(entry.first); });
  for (const auto& [name, input] : inputs) {
    const auto known = servers_.find(name);
    if (known != servers_.end() && known->second.input.address != input.address) {
      servers_.erase(known);
    }
    Follow(input, limits.window, now, &servers_[name]);
  }
  for (auto& [name, server] : servers_) Judge(limits, name, now, &server);
  CompareAll(limits);
}

// Ticks are a second apart and more: between two of them handshakes are taken as evenly spread, or
// the window of those that began would be as long by a tick as that of those answered.
uint64_t HandshakeRule::WatchedAt(absl::Duration time, const std::deque<Sample>& recent) {
  const Sample& before = recent.front();
  if (recent.size() == 1 || time <= before.time) return before.watched;
  const double share = absl::FDivDuration(time - before.time, recent[1].time - before.time);
  const auto began = static_cast<double>(recent[1].watched - before.watched);
  return before.watched + static_cast<uint64_t>(std::lround(share * began));
}

// Only what the server counts under one weight is compared: a change of it begins the window anew.
void HandshakeRule::Follow(const HandshakeInput& input, absl::Duration window, absl::Duration now,
                           Server* server) {
  const bool counters_began_anew =
      !server->recent.empty() && (input.watched_total < server->recent.back().watched ||
                                  input.progressed_total < server->recent.back().progressed);
  if (!input.usable || server->verdict.phase == Phase::kHeld || counters_began_anew ||
      input.weight != server->input.weight) {
    server->recent.clear();
    server->history.clear();
  }
  server->input = input;
  if (!Serves(*server)) return;
  std::deque<Sample>& recent = server->recent;
  std::deque<Sample>& history = server->history;
  recent.push_back({now, input.watched_total, input.progressed_total});
  while (recent.size() > 1 && recent[1].time <= now - kPatience) recent.pop_front();
  // How many had begun kPatience ago is not known yet.
  if (recent.front().time > now - kPatience) return;
  const Sample sample = {now, WatchedAt(now - kPatience, recent), input.progressed_total};
  // The newest moves on until it is a step away from the one before it.
  const bool replaces =
      history.size() >= 2 && now - history[history.size() - 2].time < window / kSamplesPerWindow;
  if (replaces) history.pop_back();
  history.push_back(sample);
  while (history.size() > 2 && history[1].time <= now - window) history.pop_front();
}

HandshakeRule::Figures HandshakeRule::FiguresOf(const Server& server, absl::Duration since) {
  if (server.history.empty()) return {};
  const Sample* first = &server.history.front();
  for (const Sample& sample : server.history) {
    if (sample.time <= since) first = &sample;
  }
  const Sample& last = server.history.back();
  Figures figures;
  figures.watched = last.watched - first->watched;
  figures.span = last.time - first->time;
  const uint64_t progressed = last.progressed - first->progressed;
  figures.unanswered = figures.watched > progressed ? figures.watched - progressed : 0;
  return figures;
}

const std::pair<const std::string, HandshakeRule::Server>* HandshakeRule::WitnessFor(
    const std::string& name, absl::Duration since) const {
  std::vector<std::pair<double, const std::pair<const std::string, Server>*>> others;
  for (const auto& entry : servers_) {
    if (entry.first == name || !Serves(entry.second)) continue;
    const auto answered = static_cast<double>(FiguresOf(entry.second, since).answered());
    others.emplace_back(answered / entry.second.input.weight, &entry);
  }
  if (others.empty()) return nullptr;
  const auto median = others.begin() + static_cast<ptrdiff_t>((others.size() - 1) / 2);
  std::nth_element(others.begin(), median, others.end());
  return median->second;
}

std::optional<std::string> HandshakeRule::Failure(const UnansweredHandshakes& limits, int threshold,
                                                  const std::string& name,
                                                  const Server& server) const {
  if (server.history.empty()) return std::nullopt;
  const absl::Duration since = server.history.front().time;
  const Figures own = FiguresOf(server, since);
  if (!AreUnanswered(limits, threshold, own.unanswered, own.watched)) return std::nullopt;
  const auto* witness = WitnessFor(name, since);
  if (witness == nullptr) return std::nullopt;
  const Figures other = FiguresOf(witness->second, since);
  const double expected =
      static_cast<double>(other.answered()) * server.input.weight / witness->second.input.weight;
  const auto answered = static_cast<double>(own.answered());
  if (expected < threshold / 2.0) return std::nullopt;
  if (answered * 100 > expected * (100 - limits.percent)) return std::nullopt;
  const bool calm = other.unanswered * 2 < other.watched;
  // Of two counts that are alike, each varies by the root of its mean.
  if (!calm && expected - answered < kDeviations * std::sqrt(2 * expected)) return std::nullopt;
  return absl::StrCat(own.unanswered, " of ", own.watched, " handshakes of clients in ",
                      absl::FormatDuration(absl::Trunc(own.span, absl::Seconds(1))),
                      " unanswered, while ", witness->first, " answered ", other.answered(), " of ",
                      other.watched);
}

bool HandshakeRule::MayHoldOneMore() const {
  size_t usable_count = 0;
  size_t held_count = 0;
  for (const auto& [name, server] : servers_) {
    usable_count += server.input.usable;
    held_count += server.input.usable && server.verdict.phase == Phase::kHeld;
  }
  return 2 * (held_count + 1) <= usable_count;
}

void HandshakeRule::Hold(const UnansweredHandshakes& limits, std::string seen, absl::Duration now,
                         Server* server) {
  HandshakeVerdict& verdict = server->verdict;
  const bool was_calm = now - server->serving_since >= kCalmHolds * verdict.hold;
  server->holds_doubled = verdict.held_total == 0 || was_calm
                              ? 0
                              : std::min(server->holds_doubled + 1, kHoldsDoubledMax);
  verdict.phase = Phase::kHeld;
  verdict.seen = std::move(seen);
  verdict.hold = limits.hold * (1 << server->holds_doubled);
  verdict.held_until = now + verdict.hold;
  verdict.spared.clear();
  ++verdict.held_total;
}

void HandshakeRule::Judge(const UnansweredHandshakes& limits, const std::string& name,
                          absl::Duration now, Server* server) {
  HandshakeVerdict& verdict = server->verdict;
  if (verdict.phase == Phase::kHeld) {
    if (now < verdict.held_until || !server->input.usable) return;
    verdict.phase = Phase::kTrial;
    server->serving_since = now;
    server->trial_until = now + limits.window + kPatience;
    return;
  }
  // A trial waits for the checks.
  if (!server->input.usable) {
    server->trial_until = now + limits.window + kPatience;
    verdict.spared.clear();
    return;
  }
  const bool on_trial = verdict.phase == Phase::kTrial;
  const int threshold = on_trial ? TrialThreshold(limits) : limits.threshold;
  std::optional<std::string> failure = Failure(limits, threshold, name, *server);
  if (!failure.has_value()) {
    verdict.spared.clear();
  } else if (MayHoldOneMore()) {
    Hold(limits, *std::move(failure), now, server);
    return;
  } else if (verdict.spared.empty()) {
    verdict.spared = *std::move(failure);
  }
  if (!on_trial) return;
  const Figures own = FiguresOf(*server, now - limits.window);
  const bool answers =
      own.answered() >= static_cast<uint64_t>(threshold) && own.unanswered < own.answered();
  if (!answers && now < server->trial_until) return;
  verdict.phase = Phase::kServing;
  verdict.seen.clear();
}

void HandshakeRule::CompareAll(const UnansweredHandshakes& limits) {
  size_t serving_count = 0;
  size_t unanswered_count = 0;
  for (const auto& [name, server] : servers_) {
    if (!Serves(server) || server.history.empty()) continue;
    const Figures own = FiguresOf(server, server.history.front().time);
    ++serving_count;
    unanswered_count += AreUnanswered(limits, limits.threshold, own.unanswered, own.watched);
  }
  most_look_alike_ = unanswered_count > 1 && 2 * unanswered_count > serving_count;
}

bool HandshakeRule::AnyServes() const {
  return std::any_of(servers_.begin(), servers_.end(),
                     [](const auto& entry) { return Serves(entry.second); });
}

void HandshakeRule::ReleaseHeld() {
  for (auto& [name, server] : servers_) {
    if (server.verdict.phase != Phase::kHeld) continue;
    server.verdict.phase = Phase::kServing;
    server.verdict.seen.clear();
  }
}

HandshakeVerdict HandshakeRule::VerdictOf(const std::string& server) const {
  const auto found = servers_.find(server);
  return found == servers_.end() ? HandshakeVerdict() : found->second.verdict;
}

}  // namespace fairlead::controller
