// The HTTP port: what supervisors, orchestrators and Prometheus ask.
#ifndef SERVER_SERVICE_HTTP_SERVER_H_
#define SERVER_SERVICE_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/service/node_readiness.h"

namespace quorate {

// What the pages tell; asked for at each request, on a thread of the server, which may wait for it.
struct HttpSources {
  std::function<NodeReadiness()> readiness;
  std::function<NodeReadiness()> health;
  // In Prometheus' text format.
  std::function<std::string()> metrics;
};

// GET /healthz  200 while the process runs; 503 and why when only a restart helps.
// GET /readyz   200 when the node serves; else 503 and a line for each cause, with its mend.
// GET /metrics  Prometheus text.
//
// An adapter of its own, off the data path: two threads serve, one connection after the other.
// Owned by main().
class HttpServer {
 public:
  // Listens on host:port; port 0 takes a free one. Fails with the address in the message when it is
  // taken.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Listen(const std::string& address,
                                                            HttpSources sources);
  virtual ~HttpServer() = default;

  // The port listened on.
  [[nodiscard]] virtual int port() const = 0;
  // Serves until Stop; blocks, so on a thread that main() gives. Once.
  virtual void Serve() = 0;
  // Any thread, also before Serve.
  virtual void Stop() = 0;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_HTTP_SERVER_H_
