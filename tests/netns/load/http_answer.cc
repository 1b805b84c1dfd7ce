#include "tests/netns/load/http_answer.h"

#include <strings.h>

#include <charconv>
#include <utility>

namespace fairlead::netns {
namespace {

constexpr size_t kHeadBytesMax = 16 * 1024;

// The value of a header of `head`, or nothing.
std::string_view HeaderOf(std::string_view head, std::string_view name) {
  size_t line = head.find("\r\n");
  while (line != std::string_view::npos) {
    line += 2;
    const size_t end = head.find("\r\n", line);
    const std::string_view text = head.substr(line, end - line);
    if (text.size() > name.size() && text[name.size()] == ':' &&
        ::strncasecmp(text.data(), name.data(), name.size()) == 0) {
      const size_t value = text.find_first_not_of(' ', name.size() + 1);
      return value == std::string_view::npos ? "" : text.substr(value);
    }
    line = end;
  }
  return "";
}

}  // namespace

void HttpAnswer::Reset() {
  begun_ = in_body_ = false;
  head_.clear();
  who_.clear();
  body_size_ = body_seen_ = 0;
}

HttpAnswer::State HttpAnswer::Fail(std::string problem) {
  problem_ = std::move(problem);
  return State::kWrong;
}

HttpAnswer::State HttpAnswer::Take(std::string_view bytes) {
  begun_ = true;
  if (in_body_) return TakeBody(bytes);
  head_.append(bytes);
  const size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos) {
    return head_.size() > kHeadBytesMax ? Fail("endless head") : State::kIncomplete;
  }
  const std::string rest = head_.substr(end + 4);
  head_.resize(end + 2);
  if (!ReadHead()) return State::kWrong;
  in_body_ = true;
  return TakeBody(rest);
}

bool HttpAnswer::ReadHead() {
  if (head_.size() < 12 || head_.compare(0, 7, "HTTP/1.") != 0 ||
      head_.compare(8, 4, " 200") != 0) {
    Fail("status line " + head_.substr(0, head_.find("\r\n")));
    return false;
  }
  const std::string_view length = HeaderOf(head_, "Content-Length");
  const auto parsed = std::from_chars(length.data(), length.data() + length.size(), body_size_);
  if (parsed.ec != std::errc()) {
    Fail("no Content-Length");
    return false;
  }
  server_ = HeaderOf(head_, "X-Server");
  return true;
}

HttpAnswer::State HttpAnswer::TakeBody(std::string_view bytes) {
  if (body_seen_ + bytes.size() > body_size_) return Fail("more bytes than announced");
  if (expectation_->is_who) {
    who_.append(bytes);
  } else if (expectation_->body.compare(body_seen_, bytes.size(), bytes) != 0) {
    return Fail("wrong bytes after " + std::to_string(body_seen_));
  }
  body_seen_ += bytes.size();
  return body_seen_ < body_size_ ? State::kIncomplete : Finish();
}

HttpAnswer::State HttpAnswer::Finish() {
  if (!expectation_->is_who) {
    return body_size_ == expectation_->body.size() ? State::kComplete : Fail("wrong size");
  }
  const size_t blank = who_.find(' ');
  if (blank == std::string::npos || who_.compare(0, blank, server_) != 0 || who_.back() != '\n') {
    return Fail("answer \"" + who_ + "\" of server " + server_);
  }
  const std::string port = who_.substr(blank + 1, who_.size() - blank - 2);
  if (expectation_->port != 0 && port != std::to_string(expectation_->port)) {
    return Fail("answer of port " + port);
  }
  return State::kComplete;
}

}  // namespace fairlead::netns
