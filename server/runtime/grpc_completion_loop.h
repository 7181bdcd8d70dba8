// Threads that wait on a gRPC completion queue, and what they call.
#ifndef SERVER_RUNTIME_GRPC_COMPLETION_LOOP_H_
#define SERVER_RUNTIME_GRPC_COMPLETION_LOOP_H_

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/runtime/mutex.h"

namespace quorate {

// One operation given to gRPC; its address is the operation's tag. Called once when it has ended,
// on a thread of the loop; must not block. May delete itself there.
class GrpcTag {
 public:
  virtual void Proceed(bool ok) = 0;

 protected:
  ~GrpcTag() = default;
};

// Owns a completion queue and its threads, one by default: on few cores a second one costs more in
// hand-offs than it brings.
//
// gRPC aborts the process when an operation is given to a queue that is shut down. So everything
// that may still give one holds a Work token, and Stop waits until none is left. Tokens are taken
// before the first operation, and given back on the loop's threads only.
class GrpcCompletionLoop {
 public:
  GrpcCompletionLoop(std::unique_ptr<grpc::ServerCompletionQueue> queue, size_t threads,
                     const std::string& name);
  ~GrpcCompletionLoop();
  GrpcCompletionLoop(const GrpcCompletionLoop&) = delete;
  GrpcCompletionLoop& operator=(const GrpcCompletionLoop&) = delete;

  [[nodiscard]] grpc::ServerCompletionQueue* queue() const { return queue_.get(); }

  void BeginWork() { work_.fetch_add(1); }
  void EndWork();

  // Waits for all work, then ends the threads. Not from a thread of the loop. The servers of the
  // queue must have been shut down. A second call does nothing.
  void Stop();

 private:
  void Run(const std::string& name);

  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::atomic<size_t> work_{0};
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  CondVar idle_;
  std::vector<std::thread> threads_;
};

}  // namespace quorate

#endif  // SERVER_RUNTIME_GRPC_COMPLETION_LOOP_H_
