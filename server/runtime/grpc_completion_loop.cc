#include "server/runtime/grpc_completion_loop.h"

#include <grpc/support/time.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "server/runtime/check.h"

namespace quorate {

GrpcCompletionLoop::GrpcCompletionLoop(std::unique_ptr<grpc::ServerCompletionQueue> queue,
                                       size_t threads, const std::string& name)
    : queue_(std::move(queue)) {
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) {
    threads_.emplace_back([this, name] { Run(name); });
  }
}

GrpcCompletionLoop::~GrpcCompletionLoop() { Stop(); }

void GrpcCompletionLoop::EndWork() {
  const size_t before = work_.fetch_sub(1);
  QUORATE_CHECK(before > 0);
  if (before == 1 && stopping_.load()) {
    MutexLock lock(&mutex_);
    idle_.NotifyAll();
  }
}

void GrpcCompletionLoop::Stop() {
  if (threads_.empty()) return;
  stopping_.store(true);
  {
    // The one that ends the last work either is seen here, or sees stopping_ and waits for the
    // lock.
    MutexLock lock(&mutex_);
    while (work_.load() != 0) idle_.Wait(&mutex_);
  }
  queue_->Shutdown();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void GrpcCompletionLoop::Run(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) static_cast<GrpcTag*>(tag)->Proceed(ok);
}

GrpcTicker::GrpcTicker(GrpcCompletionLoop* loop, Duration interval, std::function<void()> tick)
    : loop_(loop), interval_(interval), tick_(std::move(tick)) {
  loop_->BeginWork();
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
  loop_->EndWork();
}

void GrpcTicker::SetAlarm() {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(interval_).count();
  alarm_.Set(loop_->queue(),
             gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN)),
             this);
}

}  // namespace quorate
