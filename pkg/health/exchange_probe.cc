#include "pkg/health/exchange_probe.h"

#include <poll.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "pkg/health/reason.h"

namespace fairlead::health {

ExchangeProbe::ExchangeProbe(const net::Endpoint& endpoint, std::unique_ptr<Dialogue> dialogue,
                             StreamMaker make_stream)
    : connection_(endpoint), dialogue_(std::move(dialogue)), make_stream_(std::move(make_stream)) {}

ProbeStep ExchangeProbe::Start() {
  if (auto failure = connection_.Open()) return *failure;
  if (auto failure = connection_.Connect()) return *failure;
  return Await{connection_.fd(), POLLOUT};
}

ProbeStep ExchangeProbe::OnReady() {
  // Ends: every turn waits, judges, or moves a byte of a bounded request or buffer.
  while (true) {
    if (std::optional<ProbeStep> step = Turn()) return *std::move(step);
  }
}

std::optional<ProbeStep> ExchangeProbe::Turn() {
  switch (state_) {
    case State::kConnecting:
      return FinishConnect();
    case State::kHandshaking:
      return Handshake();
    case State::kSending:
      return Send();
    case State::kReceiving:
      return Receive();
  }
  return ProbeOutcome::Inconclusive("unreachable state");
}

std::optional<ProbeStep> ExchangeProbe::FinishConnect() {
  if (auto failure = connection_.Finish()) return *failure;
  absl::StatusOr<std::unique_ptr<ByteStream>> stream = make_stream_(connection_.fd());
  if (!stream.ok()) {
    return ProbeOutcome::Inconclusive(
        absl::StrCat("cannot check ", Name(), ": ", stream.status().message()));
  }
  stream_ = *std::move(stream);
  state_ = State::kHandshaking;
  return std::nullopt;
}

std::optional<ProbeStep> ExchangeProbe::Handshake() {
  const StreamResult result = stream_->Handshake();
  switch (result.kind) {
    case StreamResult::Kind::kDone:
      state_ = State::kSending;
      return std::nullopt;
    case StreamResult::Kind::kWantRead:
      return Await{connection_.fd(), POLLIN};
    case StreamResult::Kind::kWantWrite:
      return Await{connection_.fd(), POLLOUT};
    case StreamResult::Kind::kEnd:
      return ProbeOutcome::Unhealthy(
          absl::StrCat(Name(), " closed the connection during the TLS handshake"));
    case StreamResult::Kind::kFailed:
      return ProbeOutcome::Unhealthy(absl::StrCat(Name(), " ", result.failure));
  }
  return std::nullopt;
}

std::optional<ProbeStep> ExchangeProbe::Send() {
  const absl::string_view rest = dialogue_->request().substr(sent_bytes_);
  if (rest.empty()) {
    state_ = State::kReceiving;
    return std::nullopt;
  }
  const StreamResult result = stream_->Write(rest);
  switch (result.kind) {
    case StreamResult::Kind::kDone:
      sent_bytes_ += result.bytes;
      return std::nullopt;
    case StreamResult::Kind::kWantRead:
      return Await{connection_.fd(), POLLIN};
    case StreamResult::Kind::kWantWrite:
      return Await{connection_.fd(), POLLOUT};
    case StreamResult::Kind::kEnd:
    case StreamResult::Kind::kFailed:
      // A server may answer and close before it has read everything; its answer still counts.
      state_ = State::kReceiving;
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<ProbeStep> ExchangeProbe::Receive() {
  const StreamResult result = stream_->Read(absl::MakeSpan(buffer_).subspan(received_bytes_));
  switch (result.kind) {
    case StreamResult::Kind::kDone: {
      received_bytes_ += result.bytes;
      const bool full = received_bytes_ == buffer_.size();
      if (auto outcome = dialogue_->Judge(received(), full)) return *std::move(outcome);
      return std::nullopt;
    }
    case StreamResult::Kind::kWantRead:
      return Await{connection_.fd(), POLLIN};
    case StreamResult::Kind::kWantWrite:
      return Await{connection_.fd(), POLLOUT};
    case StreamResult::Kind::kEnd:
      return JudgeEnd("closed the connection");
    case StreamResult::Kind::kFailed:
      return JudgeEnd(result.failure);
  }
  return std::nullopt;
}

ProbeOutcome ExchangeProbe::JudgeEnd(absl::string_view what_it_did) const {
  if (received_bytes_ > 0) {
    if (auto outcome = dialogue_->Judge(received(), true)) return *std::move(outcome);
  }
  return ProbeOutcome::Unhealthy(absl::StrCat(Name(), " ", what_it_did, " before answering"));
}

ProbeOutcome ExchangeProbe::OnTimeout(absl::Duration timeout) {
  const std::string limit = absl::FormatDuration(timeout);
  if (state_ == State::kConnecting) return ConnectTimeout(connection_.endpoint(), timeout);
  if (state_ == State::kHandshaking) {
    return ProbeOutcome::Unhealthy(
        absl::StrCat(Name(), " did not finish the TLS handshake within ", limit));
  }
  if (received_bytes_ > 0) {
    if (auto outcome = dialogue_->Judge(received(), true)) {
      absl::StrAppend(&outcome->reason, " (waited ", limit, ")");
      return *std::move(outcome);
    }
  }
  return ProbeOutcome::Unhealthy(
      absl::StrCat(Name(), " accepted the connection but did not answer within ", limit));
}

std::string ExchangeProbe::Name() const { return TargetName(connection_.endpoint()); }

}  // namespace fairlead::health
