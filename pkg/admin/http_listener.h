// HttpListener: an HTTP server of ours on one address, whatever it serves: a bind that says what to
// do when it fails, a pool of threads of its own, limits, and an end that waits for no client.
// Made of the library's server, plain or over TLS.
#pragma once

#include <httplib.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "pkg/controller/view.h"

namespace fairlead::admin {

struct HttpListenerOptions {
  std::string name;  // "admin API", for errors
  std::string flag;  // "--admin ADDR:PORT", what moves it elsewhere
  size_t threads = 8;
  size_t payload_bytes_max = 16 * 1024;
  std::map<std::string, std::string> headers{};  // of every answer
};

class HttpListener {
 public:
  // Called by the pool's threads; may throw, which is answered with 500 and logged.
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

  // Listens on `bind` (port 0 = any) and serves GET, HEAD and POST until the object is destroyed.
  // Errors: the address cannot be bound (in use, not on this host, port below 1024), with what to
  // do.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Create(
      const net::Endpoint& bind, HttpListenerOptions options,
      std::unique_ptr<httplib::Server> server, Handler handler);
  // Ends at once what waits for a client to speak, and an answer that its client does not take
  // after half a second.
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  // Where it listens; the port is never 0.
  const net::Endpoint& endpoint() const;

 private:
  struct Impl;
  explicit HttpListener(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

// Who asks.
net::Endpoint ClientOf(const httplib::Request& request);

}  // namespace fairlead::admin
