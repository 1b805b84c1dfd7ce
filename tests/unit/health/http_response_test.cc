#include "pkg/health/http_response.h"

#include <string>

#include "gtest/gtest.h"

namespace fairlead::health {
namespace {

using Parse = HttpResponse::Parse;

TEST(HttpResponseTest, AcceptsWhatServersSend) {
  struct Fact {
    const char* bytes;
    int status;
    const char* phrase;
  } facts[] = {
      {"HTTP/1.1 200 OK\r\n", 200, "OK"},
      {"HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\n", 404, "Not Found"},
      {"HTTP/1.1 200 OK\n", 200, "OK"},
      {"HTTP/1.1 200\r\n", 200, ""},
      {"HTTP/1.1 200 \r\n", 200, ""},
      {"HTTP/1.1  503  Busy\r\n", 503, " Busy"},
      {"HTTP/1.1 101 Switching Protocols\r\n", 101, "Switching Protocols"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n", 204, "No Content"},
      {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 500 X\r\n",
       500, "X"},
  };
  for (const auto& fact : facts) {
    const HttpResponse response = ParseHttpResponse(fact.bytes);
    EXPECT_EQ(response.parse, Parse::kComplete) << fact.bytes;
    EXPECT_EQ(response.status, fact.status) << fact.bytes;
    EXPECT_EQ(response.reason_phrase, fact.phrase) << fact.bytes;
  }
}

TEST(HttpResponseTest, WaitsForTheRest) {
  const std::string whole = "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n";
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(ParseHttpResponse(whole.substr(0, size)).parse, Parse::kIncomplete) << size;
  }
  EXPECT_EQ(ParseHttpResponse(whole).parse, Parse::kComplete);
}

TEST(HttpResponseTest, RejectsGarbageWithItsFirstWrongByte) {
  for (const char* bytes : {"S", "SSH-2.0-OpenSSH", "HTTPS", "HTTP/2", "HTTP/1.x", "HTTP/1.11",
                            "http/1.1 200 OK\r\n", "\r\nHTTP/1.1 200 OK\r\n", "220 ready\r\n"}) {
    EXPECT_EQ(ParseHttpResponse(bytes).parse, Parse::kMalformed) << bytes;
  }
}

TEST(HttpResponseTest, RejectsBadStatusCodes) {
  for (const char* bytes :
       {"HTTP/1.1 \r\n", "HTTP/1.1\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 20x OK\r\n", "HTTP/1.1 099 Low\r\n", "HTTP/1.1 600 High\r\n",
        "HTTP/1.1 -20 OK\r\n", "HTTP/1.1 200OK\r\n", "HTTP/1.1\n200 OK\r\n"}) {
    EXPECT_EQ(ParseHttpResponse(bytes).parse, Parse::kMalformed) << bytes;
  }
}

TEST(HttpResponseTest, TakesAnyByteInThePhrase) {
  const std::string bytes("HTTP/1.1 500 a\0b\xff\r\n", 19);
  const HttpResponse response = ParseHttpResponse(bytes);
  EXPECT_EQ(response.parse, Parse::kComplete);
  EXPECT_EQ(response.reason_phrase, std::string("a\0b\xff", 4));
}

}  // namespace
}  // namespace fairlead::health
