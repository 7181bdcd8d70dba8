#include "server/service/grpc_reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <set>

namespace quorate {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1alpha::FileDescriptorResponse;

void AddWithImports(const FileDescriptor& file, std::set<const FileDescriptor*>* added,
                    FileDescriptorResponse* to) {
  if (!added->insert(&file).second) return;
  google::protobuf::FileDescriptorProto description;
  file.CopyTo(&description);
  to->add_file_descriptor_proto(description.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddWithImports(*file.dependency(i), added, to);
}

void AnswerFile(const FileDescriptor* file, const std::string& name,
                GrpcReflection::Response* answer) {
  if (file == nullptr) {
    answer->mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
    answer->mutable_error_response()->set_error_message("this node knows no " + name);
    return;
  }
  std::set<const FileDescriptor*> added;
  AddWithImports(*file, &added, answer->mutable_file_descriptor_response());
}

}  // namespace

// One stream. Owns itself from its first Accept to its end; one operation at a time.
class GrpcReflection::Stream final : public GrpcTag {
 public:
  Stream(GrpcReflection* reflection, GrpcWork* work)
      : reflection_(reflection), work_(work), stream_(&context_) {
    work_->Begin();
    grpc::ServerCompletionQueue* const queue = work_->queue();
    reflection_->service_.RequestServerReflectionInfo(&context_, &stream_, queue, queue, this);
  }

  void Proceed(bool ok) override {
    switch (phase_) {
      case Phase::kAccepting:
        if (!ok) break;
        new Stream(reflection_, work_);
        Begin();
        return;
      case Phase::kReading:
        if (!ok) {
          Finish(grpc::Status::OK);
          return;
        }
        if (request_.ByteSizeLong() > kQuestionBytesMax || ++questions_ > kQuestionsMax) {
          Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too large a question, or too many"});
          return;
        }
        phase_ = Phase::kWriting;
        stream_.Write(reflection_->Answer(request_), this);
        return;
      case Phase::kWriting:
        if (!ok) {
          Finish(grpc::Status::CANCELLED);
          return;
        }
        Read();
        return;
      case Phase::kFinishing:
        reflection_->streams_.fetch_sub(1);
        break;
    }
    GrpcWork* const work = work_;
    delete this;
    work->End();
  }

 private:
  enum class Phase { kAccepting, kReading, kWriting, kFinishing };

  void Begin() {
    if (reflection_->streams_.fetch_add(1) < kStreamsMax) {
      Read();
    } else {
      Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many reflection streams; try again"});
    }
  }
  void Read() {
    phase_ = Phase::kReading;
    stream_.Read(&request_, this);
  }
  void Finish(const grpc::Status& status) {
    phase_ = Phase::kFinishing;
    stream_.Finish(status, this);
  }

  GrpcReflection* const reflection_;
  GrpcWork* const work_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<Response, Request> stream_;
  Request request_;
  int questions_ = 0;
  Phase phase_ = Phase::kAccepting;
};

void GrpcReflection::Accept(GrpcWork* work) { new Stream(this, work); }

GrpcReflection::Response GrpcReflection::Answer(const Request& request) const {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  Response answer;
  answer.set_valid_host(request.host());
  *answer.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kListServices:
      for (const std::string& name : services_) {
        answer.mutable_list_services_response()->add_service()->set_name(name);
      }
      break;
    case Request::kFileByFilename:
      AnswerFile(pool.FindFileByName(request.file_by_filename()),
                 "file " + request.file_by_filename(), &answer);
      break;
    case Request::kFileContainingSymbol:
      AnswerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()),
                 "symbol " + request.file_containing_symbol(), &answer);
      break;
    default:
      answer.mutable_error_response()->set_error_code(grpc::StatusCode::UNIMPLEMENTED);
      answer.mutable_error_response()->set_error_message(
          "ask for list_services, file_by_filename or file_containing_symbol");
      break;
  }
  return answer;
}

}  // namespace quorate
