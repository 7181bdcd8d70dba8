// Listens for a gRPC server and takes connections up to a bound.
#ifndef SERVER_RUNTIME_GRPC_ACCEPTOR_H_
#define SERVER_RUNTIME_GRPC_ACCEPTOR_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "server/runtime/mutex.h"

struct addrinfo;  // NOLINT(readability-identifier-naming): the C library's own

namespace quorate {

// gRPC's own listener takes every connection, and closes its port for good once the process has no
// file descriptor left; the data store, which needs some too, fails for good by then. So the socket
// is ours, and connections above the bound are closed at once: their clients go to another node and
// come back with growing pauses.
//
// gRPC does not say when a connection ends. It is recognised by its descriptor, which then is
// closed or names another file.
//
// Threads: one of its own from Start to Stop; stats from any.
class GrpcAcceptor {
 public:
  // Takes ownership of a connected descriptor.
  using Take = std::function<void(int listener, int descriptor)>;

  // Listens on host:port (all addresses that the host has; port 0 takes a free one). Fails as
  // ExplainListenFailure says, naming `flag`.
  static absl::StatusOr<std::unique_ptr<GrpcAcceptor>> Listen(const std::string& address,
                                                              const std::string& flag,
                                                              size_t connections_max);
  ~GrpcAcceptor();
  GrpcAcceptor(const GrpcAcceptor&) = delete;
  GrpcAcceptor& operator=(const GrpcAcceptor&) = delete;

  [[nodiscard]] int port() const { return port_; }
  // Once.
  void Start(Take take);
  // Closes the port; no Take runs after it. A second call does nothing.
  void Stop();

  // Open now. Looks at every connection.
  [[nodiscard]] size_t connections() ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  struct Connection {
    int descriptor;
    dev_t device;
    ino_t inode;
  };

  explicit GrpcAcceptor(size_t connections_max) : connections_max_(connections_max) {}
  // 0, or the errno of what failed.
  int Bind(const std::string& host, const std::string& port);
  int BindOne(const addrinfo& address, bool only_one);
  void Run();
  // False: there was none to take, or none can be taken now.
  bool AcceptOne(int listener);
  bool Admit(int descriptor) ABSL_LOCKS_EXCLUDED(mutex_);
  void ForgetClosed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t connections_max_;
  int port_ = 0;
  std::vector<int> listeners_;
  int wake_ = -1;  // an eventfd; readable: stop
  Take take_;
  std::thread thread_;
  std::atomic<uint64_t> refused_{0};

  Mutex mutex_;
  std::vector<Connection> connections_ ABSL_GUARDED_BY(mutex_);
  int64_t looked_at_ms_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace quorate

#endif  // SERVER_RUNTIME_GRPC_ACCEPTOR_H_
