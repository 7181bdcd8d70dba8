#include "tools/kvbench/target_grpc.h"

#include "fmt/format.h"

namespace quorate::kvbench {

absl::StatusOr<std::unique_ptr<Target>> Connect(const Options& options) {
  switch (options.target) {
    case TargetKind::kQuorate:
      return ConnectQuorate(options);
    case TargetKind::kEcho:
      return ConnectEcho(options);
    case TargetKind::kEtcd:
      return ConnectEtcd(options);
  }
  return absl::InternalError("a target that nobody knows");
}

std::string KeyName(size_t number) { return fmt::format("key-{:012}", number); }

std::vector<std::shared_ptr<grpc::Channel>> OpenChannels(const std::string& address, size_t count) {
  grpc::ChannelArguments arguments;
  // Each channel is a connection of its own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (size_t i = 0; i < count; ++i) {
    channels.push_back(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  }
  return channels;
}

void SetDeadline(grpc::ClientContext* context, std::chrono::seconds timeout) {
  context->set_deadline(std::chrono::system_clock::now() + timeout);
}

bool IsTransient(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ||
         status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
         status.error_code() == grpc::StatusCode::ABORTED;
}

}  // namespace quorate::kvbench
