// Threads that wait on a gRPC completion queue, and what they call.
#ifndef SERVER_RUNTIME_GRPC_COMPLETION_LOOP_H_
#define SERVER_RUNTIME_GRPC_COMPLETION_LOOP_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

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

class GrpcWork;

// Owns a completion queue and its threads, one by default: on few cores a second one costs more in
// hand-offs than it brings. For the same reason a process wants one loop for all that it does by
// gRPC: all threads that poll share one set of sockets, and each event that one of them finds wakes
// another to poll on (gRPC's epoll1 engine), whoever the event is for.
//
// gRPC aborts the process when an operation is given to a queue that is shut down, so whoever gives
// any counts them in a GrpcWork and awaits its end before the loop stops.
class GrpcCompletionLoop {
 public:
  // For any number of servers and channels. For programs that make no other gRPC server before it
  // and set none of gRPC's global callbacks: gRPC ends the process otherwise.
  GrpcCompletionLoop(size_t threads, const std::string& name);
  // For the one server that will be built there.
  GrpcCompletionLoop(grpc::ServerBuilder& builder, size_t threads, const std::string& name);
  // Stops.
  ~GrpcCompletionLoop();
  GrpcCompletionLoop(const GrpcCompletionLoop&) = delete;
  GrpcCompletionLoop& operator=(const GrpcCompletionLoop&) = delete;

  [[nodiscard]] grpc::ServerCompletionQueue* queue() const { return queue_.get(); }

  // Builds and starts a server whose calls may be accepted on this loop's queue. Calls of methods
  // that it does not have are answered UNIMPLEMENTED, as the owner's `work`. Null where
  // gRPC refuses. The server is shut down, the work awaited and the server destroyed before the
  // loop stops. For one caller at a time.
  [[nodiscard]] std::unique_ptr<grpc::Server> Start(grpc::ServerBuilder& builder, GrpcWork* work);

  // Ends the threads. All work has ended, and servers were shut down. Not from a thread of the
  // loop. A second call does nothing.
  void Stop();

 private:
  // What a server that was started here needs besides.
  struct Joined;

  GrpcCompletionLoop(std::unique_ptr<grpc::ServerCompletionQueue> queue, bool shared,
                     size_t threads, const std::string& name);
  void Run(const std::string& name);

  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const bool shared_;
  std::vector<std::unique_ptr<Joined>> joined_;
  std::vector<std::thread> threads_;
};

// What one owner has under way on a loop. Begun before an operation is given, ended on the loop's
// threads when nothing more will be. Owned by that owner, who awaits the end of all before it goes.
class GrpcWork {
 public:
  explicit GrpcWork(GrpcCompletionLoop* loop) : loop_(loop) {}
  ~GrpcWork();
  GrpcWork(const GrpcWork&) = delete;
  GrpcWork& operator=(const GrpcWork&) = delete;

  [[nodiscard]] GrpcCompletionLoop* loop() const { return loop_; }
  [[nodiscard]] grpc::ServerCompletionQueue* queue() const { return loop_->queue(); }

  void Begin();
  void End();
  // Not from a thread of the loop.
  void AwaitEnd();

 private:
  GrpcCompletionLoop* const loop_;
  Mutex mutex_;
  CondVar idle_;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Calls a function again and again on a loop's threads, never twice at a time.
class GrpcTicker final : public GrpcTag {
 public:
  // `tick` comes an `interval` after the last one has ended. `work` outlives the ticker.
  GrpcTicker(GrpcWork* work, Duration interval, std::function<void()> tick);
  // Only after Stop and the end of its work.
  ~GrpcTicker() = default;
  GrpcTicker(const GrpcTicker&) = delete;
  GrpcTicker& operator=(const GrpcTicker&) = delete;

  // Its work ends. A call may still be under way. A second call does nothing.
  void Stop();

  void Proceed(bool ok) override;

 private:
  void SetAlarm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  GrpcWork* const work_;
  const Duration interval_;
  const std::function<void()> tick_;

  Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_RUNTIME_GRPC_COMPLETION_LOOP_H_
