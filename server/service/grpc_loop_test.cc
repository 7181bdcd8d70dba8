// A loop that several servers share, as kvd's, and what a server does there that gRPC does
// elsewhere; over real sockets on loopback. A program of its own: nothing else may make a server
// before.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "server/runtime/clock.h"
#include "server/runtime/grpc_completion_loop.h"
#include "server/service/fake_admin.h"
#include "server/service/fake_key_value.h"
#include "server/service/grpc_reflection.h"
#include "server/service/grpc_server.h"

namespace quorate {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// For what has no reason to take long, on a machine that does nothing else.
constexpr std::chrono::seconds kPatience(60);

class GrpcLoopTest : public testing::Test {
 protected:
  void Start() {
    auto server =
        GrpcServer::Start({.listen = "127.0.0.1:0", .loop = &loop_}, &clock_, &key_value_, &admin_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(fmt::format("127.0.0.1:{}", server_->port()),
                                   grpc::InsecureChannelCredentials());
  }

  GrpcCompletionLoop loop_{1, "shared"};
  KernelClock clock_;
  FakeKeyValue key_value_;
  FakeAdmin admin_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<GrpcServer> server_;
};

// One question on a stream, and its answer.
GrpcReflection::Response AskReflection(const std::shared_ptr<grpc::Channel>& channel,
                                       const GrpcReflection::Request& question) {
  const auto stub = grpc::reflection::v1alpha::ServerReflection::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto stream = stub->ServerReflectionInfo(&context);
  GrpcReflection::Response answer;
  EXPECT_TRUE(stream->Write(question));
  EXPECT_TRUE(stream->Read(&answer));
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(stream->Finish().ok());
  return answer;
}

TEST_F(GrpcLoopTest, ReflectionListsTheServices) {
  Start();
  GrpcReflection::Request question;
  question.set_list_services("");
  std::vector<std::string> names;
  const auto answer = AskReflection(channel_, question);
  for (const auto& service : answer.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, ElementsAre("kv.v1.KeyValue", "kv.v1.Admin", "grpc.health.v1.Health",
                                 "grpc.reflection.v1alpha.ServerReflection"));
}

TEST_F(GrpcLoopTest, ReflectionGivesAFileWithItsImports) {
  Start();
  GrpcReflection::Request question;
  question.set_file_containing_symbol("kv.v1.KeyValue.Put");
  std::vector<std::string> names;
  const auto answer = AskReflection(channel_, question);
  for (const std::string& bytes : answer.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    names.push_back(file.name());
  }
  EXPECT_THAT(names, Contains("kv/v1/key_value.proto"));
  EXPECT_THAT(names, Contains("kv/v1/errors.proto"));
  question.set_file_by_filename("kv/v1/nothing.proto");
  EXPECT_EQ(AskReflection(channel_, question).error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
  question.set_all_extension_numbers_of_type("kv.v1.PutRequest");
  EXPECT_EQ(AskReflection(channel_, question).error_response().error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcLoopTest, QuestionsToReflectionAreBounded) {
  Start();
  const auto stub = grpc::reflection::v1alpha::ServerReflection::NewStub(channel_);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto stream = stub->ServerReflectionInfo(&context);
  GrpcReflection::Request question;
  question.set_file_containing_symbol(std::string(GrpcReflection::kQuestionBytesMax, 'x'));
  stream->Write(question);
  GrpcReflection::Response answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(GrpcLoopTest, UnknownMethodsAreRefused) {
  Start();
  grpc::GenericStub stub(channel_);
  for (const char* method : {"/kv.v1.KeyValue/Guess", "/grpc.health.v1.Health/Watch"}) {
    grpc::CompletionQueue queue;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    const auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(), &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
  }
}

// Each would take events away from the thread that serves requests.
TEST_F(GrpcLoopTest, NoThreadOfGrpcsOwnPolls) {
  Start();
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    EXPECT_THAT(name, Not(HasSubstr("grpcpp_sync")));
  }
}

// A server that goes leaves it to the others.
TEST_F(GrpcLoopTest, ServersShareALoop) {
  const auto is_listed = [](int port) {
    GrpcReflection::Request question;
    question.set_list_services("");
    return AskReflection(grpc::CreateChannel(fmt::format("127.0.0.1:{}", port),
                                             grpc::InsecureChannelCredentials()),
                         question)
        .has_list_services_response();
  };
  Start();
  const auto first = std::move(server_);
  Start();
  for (const int port : {first->port(), server_->port()}) {
    EXPECT_TRUE(is_listed(port));
  }
  server_.reset();
  EXPECT_TRUE(is_listed(first->port()));
}

}  // namespace
}  // namespace quorate
