#include "pkg/health/plain_stream.h"

#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"

namespace fairlead::health {
namespace {

StreamResult Failure(int error, StreamResult::Kind again) {
  if (error == EAGAIN || error == EINTR) return StreamResult::Of(again);
  if (error == ECONNRESET || error == EPIPE) {
    return StreamResult::Failed("reset the connection");
  }
  return StreamResult::Failed(
      absl::StrCat("lost the connection: ", base::ErrnoStatus(error, "socket").message()));
}

}  // namespace

StreamResult PlainStream::Write(absl::string_view data) {
  const ssize_t sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
  if (sent < 0) return Failure(errno, StreamResult::Kind::kWantWrite);
  return StreamResult::Moved(static_cast<size_t>(sent));
}

StreamResult PlainStream::Read(absl::Span<char> buffer) {
  const ssize_t received = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (received < 0) return Failure(errno, StreamResult::Kind::kWantRead);
  if (received == 0) return StreamResult::Of(StreamResult::Kind::kEnd);
  return StreamResult::Moved(static_cast<size_t>(received));
}

}  // namespace fairlead::health
