#include "server/runtime/grpc_completion_loop.h"

#include <grpc/grpc.h>
#include <grpc/support/time.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "server/runtime/check.h"
#include "server/runtime/grpc_unknown_methods.h"

namespace quorate {
namespace {

// The queue that the server being built on this thread joins.
thread_local grpc_completion_queue* joined_queue = nullptr;

// gRPC's only way to a server between its making and its start, when it can still be given a queue.
class QueueJoiner final : public grpc::Server::GlobalCallbacks {
 public:
  void PreSynchronousRequest(grpc::ServerContext*) override {}
  void PostSynchronousRequest(grpc::ServerContext*) override {}
  void PreServerStart(grpc::Server* server) override {
    if (joined_queue == nullptr) return;
    grpc_server_register_completion_queue(server->c_server(), joined_queue, nullptr);
  }
};

std::unique_ptr<grpc::ServerCompletionQueue> MakeQueue() {
  // Has to come before the process's first server; gRPC keeps it for ever.
  static std::once_flag once;
  std::call_once(once, [] { grpc::Server::SetGlobalCallbacks(new QueueJoiner); });
  return grpc::ServerBuilder().AddCompletionQueue();
}

}  // namespace

struct GrpcCompletionLoop::Joined {
  // Of a shared loop: gRPC gives no server without a queue of its own; nothing ever comes there.
  std::unique_ptr<grpc::ServerCompletionQueue> unused;
  GrpcUnknownMethods unknown_methods;
};

GrpcCompletionLoop::GrpcCompletionLoop(size_t threads, const std::string& name)
    : GrpcCompletionLoop(MakeQueue(), /*shared=*/true, threads, name) {}

GrpcCompletionLoop::GrpcCompletionLoop(grpc::ServerBuilder& builder, size_t threads,
                                       const std::string& name)
    : GrpcCompletionLoop(builder.AddCompletionQueue(), /*shared=*/false, threads, name) {}

GrpcCompletionLoop::GrpcCompletionLoop(std::unique_ptr<grpc::ServerCompletionQueue> queue,
                                       bool shared, size_t threads, const std::string& name)
    : queue_(std::move(queue)), shared_(shared) {
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) {
    threads_.emplace_back([this, name] { Run(name); });
  }
}

GrpcCompletionLoop::~GrpcCompletionLoop() { Stop(); }

std::unique_ptr<grpc::Server> GrpcCompletionLoop::Start(grpc::ServerBuilder& builder,
                                                        GrpcWork* work) {
  auto joined = std::make_unique<Joined>();
  joined->unknown_methods.Register(builder);
  if (shared_) {
    joined->unused = builder.AddCompletionQueue();
    joined_queue = queue_->cq();
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  joined_queue = nullptr;
  if (server) {
    joined->unknown_methods.Accept(work);
    joined_.push_back(std::move(joined));
  }
  return server;
}

void GrpcCompletionLoop::Stop() {
  if (threads_.empty()) return;
  queue_->Shutdown();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (const auto& joined : joined_) {
    if (!joined->unused) continue;
    joined->unused->Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (joined->unused->Next(&tag, &ok)) {
    }
  }
  joined_.clear();
}

void GrpcCompletionLoop::Run(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) static_cast<GrpcTag*>(tag)->Proceed(ok);
}

GrpcWork::~GrpcWork() {
  MutexLock lock(&mutex_);
  QUORATE_CHECK(under_way_ == 0);
}

void GrpcWork::Begin() {
  MutexLock lock(&mutex_);
  ++under_way_;
}

void GrpcWork::End() {
  MutexLock lock(&mutex_);
  QUORATE_CHECK(under_way_ > 0);
  if (--under_way_ == 0) idle_.NotifyAll();
}

void GrpcWork::AwaitEnd() {
  MutexLock lock(&mutex_);
  while (under_way_ > 0) idle_.Wait(&mutex_);
}

GrpcTicker::GrpcTicker(GrpcWork* work, Duration interval, std::function<void()> tick)
    : work_(work), interval_(interval), tick_(std::move(tick)) {
  work_->Begin();
  MutexLock lock(&mutex_);
  SetAlarm();
}

void GrpcTicker::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  alarm_.Cancel();
}

void GrpcTicker::Proceed(bool ok) {
  if (ok) tick_();
  {
    MutexLock lock(&mutex_);
    if (!stopped_) {
      SetAlarm();
      return;
    }
  }
  work_->End();
}

void GrpcTicker::SetAlarm() {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(interval_).count();
  alarm_.Set(work_->queue(),
             gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN)),
             this);
}

}  // namespace quorate
