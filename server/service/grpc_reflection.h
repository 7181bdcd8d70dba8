// grpc.reflection.v1alpha: what tools ask to learn which services there are.
#ifndef SERVER_SERVICE_GRPC_REFLECTION_H_
#define SERVER_SERVICE_GRPC_REFLECTION_H_

#include <string>
#include <vector>

#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "server/runtime/grpc_completion_loop.h"

namespace quorate {

// Answers from the descriptors that are linked in. Owned by the server's owner; outlives the server
// it is registered with, and its work.
class GrpcReflection {
 public:
  using Service = grpc::reflection::v1alpha::ServerReflection::AsyncService;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;

  // Streams open at a time; more are refused.
  static constexpr size_t kStreamsMax = 64;
  // A larger question ends its stream, and so does the last of so many.
  static constexpr size_t kQuestionBytesMax = 4096;
  static constexpr int kQuestionsMax = 1000;

  // `services`: the full names to list.
  explicit GrpcReflection(std::vector<std::string> services) : services_(std::move(services)) {}

  // Of the protocol.
  static std::string name() {
    return grpc::reflection::v1alpha::ServerReflection::service_full_name();
  }
  // For the builder.
  [[nodiscard]] Service* service() { return &service_; }
  // Takes streams from here on, until the server is shut down. Once, when the server has started.
  void Accept(GrpcWork* work);

  [[nodiscard]] Response Answer(const Request& request) const;

 private:
  class Stream;

  const std::vector<std::string> services_;
  Service service_;
  std::atomic<size_t> streams_{0};
};

}  // namespace quorate

#endif  // SERVER_SERVICE_GRPC_REFLECTION_H_
