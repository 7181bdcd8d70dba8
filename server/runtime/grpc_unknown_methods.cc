#include "server/runtime/grpc_unknown_methods.h"

namespace quorate {

// One call. Owns itself from its Accept to its end.
class GrpcUnknownMethods::Call final : public GrpcTag {
 public:
  Call(GrpcUnknownMethods* methods, GrpcWork* work)
      : methods_(methods), work_(work), stream_(&context_) {
    work_->Begin();
    methods_->service_.RequestCall(&context_, &stream_, work_->queue(), work_->queue(), this);
  }

  void Proceed(bool ok) override {
    if (ok && !accepted_) {
      accepted_ = true;
      new Call(methods_, work_);
      stream_.Finish({grpc::StatusCode::UNIMPLEMENTED, "no method " + context_.method()}, this);
      return;
    }
    GrpcWork* const work = work_;
    delete this;
    work->End();
  }

 private:
  GrpcUnknownMethods* const methods_;
  GrpcWork* const work_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  bool accepted_ = false;
};

void GrpcUnknownMethods::Accept(GrpcWork* work) { new Call(this, work); }

}  // namespace quorate
