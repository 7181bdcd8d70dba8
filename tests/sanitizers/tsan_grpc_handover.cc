// Shows the thread sanitizer what gRPC hands from one thread to another. An operation begins on one
// thread with a tag, and its end comes out of the completion queue, with that tag, on a poller's.
// gRPC orders the two, but is not built for the sanitizer, which without this calls everything that
// a call's object holds a race.
//
// The functions stand in for those of libgrpc: a program's own come first where libgrpc++ looks its
// symbols up. Linked into every program of the tsan build.
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <sanitizer/tsan_interface.h>

namespace {

template <class Function>
Function* TheirOwn(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
  static auto* const own = TheirOwn<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  __tsan_release(tag);
  return own(call, ops, count, tag, reserved);
}

grpc_call_error grpc_server_request_call(grpc_server* server, grpc_call** call,
                                         grpc_call_details* details, grpc_metadata_array* metadata,
                                         grpc_completion_queue* bound_to,
                                         grpc_completion_queue* told, void* tag) {
  static auto* const own = TheirOwn<decltype(grpc_server_request_call)>("grpc_server_request_call");
  __tsan_release(tag);
  return own(server, call, details, metadata, bound_to, told, tag);
}

grpc_call_error grpc_server_request_registered_call(grpc_server* server, void* method,
                                                    grpc_call** call, gpr_timespec* deadline,
                                                    grpc_metadata_array* metadata,
                                                    grpc_byte_buffer** payload,
                                                    grpc_completion_queue* bound_to,
                                                    grpc_completion_queue* told, void* tag) {
  static auto* const own = TheirOwn<decltype(grpc_server_request_registered_call)>(
      "grpc_server_request_registered_call");
  __tsan_release(tag);
  return own(server, method, call, deadline, metadata, payload, bound_to, told, tag);
}

void grpc_channel_watch_connectivity_state(grpc_channel* channel, grpc_connectivity_state last,
                                           gpr_timespec deadline, grpc_completion_queue* told,
                                           void* tag) {
  static auto* const own = TheirOwn<decltype(grpc_channel_watch_connectivity_state)>(
      "grpc_channel_watch_connectivity_state");
  __tsan_release(tag);
  own(channel, last, deadline, told, tag);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline,
                                      void* reserved) {
  static auto* const own =
      TheirOwn<decltype(grpc_completion_queue_next)>("grpc_completion_queue_next");
  const grpc_event event = own(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

// grpc::Alarm::SetInternal and grpc::CompletionQueue::AsyncNextInternal, under their mangled names:
// an alarm's end comes out of the queue under a tag of gRPC's own, which only the latter exchanges
// for the one that was given.
void _ZN4grpc5Alarm11SetInternalEPNS_15CompletionQueueE12gpr_timespecPv(void* alarm, void* queue,
                                                                        gpr_timespec deadline,
                                                                        void* tag) {
  static auto* const own = TheirOwn<void(void*, void*, gpr_timespec, void*)>(
      "_ZN4grpc5Alarm11SetInternalEPNS_15CompletionQueueE12gpr_timespecPv");
  __tsan_release(tag);
  own(alarm, queue, deadline, tag);
}

int _ZN4grpc15CompletionQueue17AsyncNextInternalEPPvPb12gpr_timespec(void* queue, void** tag,
                                                                     bool* ok,
                                                                     gpr_timespec deadline) {
  static auto* const own = TheirOwn<int(void*, void**, bool*, gpr_timespec)>(
      "_ZN4grpc15CompletionQueue17AsyncNextInternalEPPvPb12gpr_timespec");
  constexpr int kGotEvent = 1;  // grpc::CompletionQueue::GOT_EVENT
  const int status = own(queue, tag, ok, deadline);
  if (status == kGotEvent) __tsan_acquire(*tag);
  return status;
}

}  // extern "C"
