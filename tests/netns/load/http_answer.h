// HttpAnswer: checks one HTTP/1.x answer byte for byte while it arrives. The real servers of the
// suite answer GET /who with "NAME PORT\n" and name themselves in the header X-Server, so that
// every answer says which server gave it and on which port.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fairlead::netns {

// What the body must be: the bytes of a file, or "NAME PORT\n".
struct Expectation {
  bool is_who = true;
  std::string body;   // !is_who
  uint16_t port = 0;  // is_who: the server's port; 0 = any
};

class HttpAnswer {
 public:
  enum class State { kIncomplete, kComplete, kWrong };

  explicit HttpAnswer(const Expectation* expectation) : expectation_(expectation) {}

  // Takes what was received. kWrong: problem() says why.
  State Take(std::string_view bytes);
  void Reset();

  // Something of this answer was received.
  bool begun() const { return begun_; }
  const std::string& server() const { return server_; }
  const std::string& problem() const { return problem_; }

 private:
  State Fail(std::string problem);
  bool ReadHead();
  State TakeBody(std::string_view bytes);
  State Finish();

  const Expectation* const expectation_;
  bool begun_ = false;
  bool in_body_ = false;
  std::string head_;  // until the blank line
  std::string who_;   // the body, for is_who
  std::string server_;
  std::string problem_;
  uint64_t body_size_ = 0;
  uint64_t body_seen_ = 0;
};

}  // namespace fairlead::netns
