// ExchangeProbe: connect, perhaps a TLS handshake, send a request, judge the answer.
//
//   Connecting -> Handshaking -> Sending -> Receiving -> outcome
//
// It closes in the ordinary way (FIN), unlike TcpProbe: the server sees an orderly end and usually
// closes first, so the TIME_WAIT stays on its side.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "pkg/health/byte_stream.h"
#include "pkg/health/dialogue.h"
#include "pkg/health/probe.h"
#include "pkg/health/tcp_connection.h"

namespace fairlead::health {

class ExchangeProbe final : public Probe {
 public:
  // Makes the stream over a connected descriptor, which stays the probe's.
  using StreamMaker = std::function<absl::StatusOr<std::unique_ptr<ByteStream>>(int fd)>;

  ExchangeProbe(const net::Endpoint& endpoint, std::unique_ptr<Dialogue> dialogue,
                StreamMaker make_stream);

  ProbeStep Start() override;
  ProbeStep OnReady() override;
  ProbeOutcome OnTimeout(absl::Duration timeout) override;

 private:
  enum class State { kConnecting, kHandshaking, kSending, kReceiving };

  // One step each; nothing = go on with the next one at once.
  std::optional<ProbeStep> Turn();
  std::optional<ProbeStep> FinishConnect();
  std::optional<ProbeStep> Handshake();
  std::optional<ProbeStep> Send();
  std::optional<ProbeStep> Receive();
  // The server closed (or broke) the connection.
  ProbeOutcome JudgeEnd(absl::string_view what_it_did) const;

  std::string Name() const;
  absl::string_view received() const { return {buffer_.data(), received_bytes_}; }

  State state_ = State::kConnecting;
  TcpConnection connection_;
  const std::unique_ptr<Dialogue> dialogue_;
  const StreamMaker make_stream_;
  std::unique_ptr<ByteStream> stream_;  // after connection_: destroyed before the descriptor closes
  size_t sent_bytes_ = 0;
  size_t received_bytes_ = 0;
  std::array<char, kAnswerBytesMax> buffer_;
};

}  // namespace fairlead::health
