// Threads that wait on a gRPC completion queue, and what they call.
#ifndef SERVER_RUNTIME_GRPC_COMPLETION_LOOP_H_
#define SERVER_RUNTIME_GRPC_COMPLETION_LOOP_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

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

// Calls a function again and again on a loop's threads, never twice at a time.
class GrpcTicker final : public GrpcTag {
 public:
  // `tick` comes an `interval` after the last one has ended. The loop outlives the ticker.
  GrpcTicker(GrpcCompletionLoop* loop, Duration interval, std::function<void()> tick);
  // Only after Stop and after the loop has stopped.
  ~GrpcTicker() = default;
  GrpcTicker(const GrpcTicker&) = delete;
  GrpcTicker& operator=(const GrpcTicker&) = delete;

  // Lets the loop stop. A call may still be under way. A second call does nothing.
  void Stop();

  void Proceed(bool ok) override;

 private:
  void SetAlarm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  GrpcCompletionLoop* const loop_;
  const Duration interval_;
  const std::function<void()> tick_;

  Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_RUNTIME_GRPC_COMPLETION_LOOP_H_
