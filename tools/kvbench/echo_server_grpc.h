// The server of target echo.
#ifndef TOOLS_KVBENCH_ECHO_SERVER_GRPC_H_
#define TOOLS_KVBENCH_ECHO_SERVER_GRPC_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace quorate::kvbench {

// Answers calls with what they carry, by the same means as kvd's: calls of the completion-queue
// API, each in memory of its own, on one polling thread. Serves until destroyed.
class EchoServer {
 public:
  // "127.0.0.1:0" takes a free port.
  static absl::StatusOr<std::unique_ptr<EchoServer>> Start(const std::string& listen);
  EchoServer() = default;
  virtual ~EchoServer() = default;
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  [[nodiscard]] virtual int port() const = 0;
};

}  // namespace quorate::kvbench

#endif  // TOOLS_KVBENCH_ECHO_SERVER_GRPC_H_
