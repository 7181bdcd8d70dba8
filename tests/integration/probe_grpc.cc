// What the tests in Python cannot do with the standard library alone.
//
//   integration_probe grpc HOST:PORT                 asks grpc.health.v1 and reflection
//   integration_probe set-format data|log FOLDER N   writes a store's format number
#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <rocksdb/db.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/storage/log_store.h"

namespace quorate {
namespace {

std::string Health(const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status =
      grpc::health::v1::Health::NewStub(channel)->Check(&context, request, &response);
  return status.ok() ? grpc::health::v1::HealthCheckResponse::ServingStatus_Name(response.status())
                     : "error " + status.error_message();
}

// The raw answer to "list services"; reflection's own messages are not packaged for C++.
std::string ListServices(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  auto call = stub.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(nullptr);
  // ServerReflectionRequest with list_services (field 7) set to the empty string.
  const grpc::Slice list_services(std::string("\x3a\x00", 2));
  std::string text;
  if (wait()) {
    call->Write(grpc::ByteBuffer(&list_services, 1), nullptr);
    grpc::ByteBuffer answer;
    if (wait()) {
      call->Read(&answer, nullptr);
      grpc::Slice slice;
      if (wait() && answer.DumpToSingleSlice(&slice).ok()) {
        text.assign(reinterpret_cast<const char*>(slice.begin()), slice.size());
      }
    }
  }
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
  return text;
}

int AskGrpc(const std::string& address) {
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  for (const std::string service : {"", "kv.v1.KeyValue", "kv.v1.Admin"}) {
    std::puts(fmt::format("health={} {}", service, Health(channel, service)).c_str());
  }
  const std::string listed = ListServices(channel);
  for (const std::string service : {"kv.v1.KeyValue", "kv.v1.Admin", "grpc.health.v1.Health"}) {
    if (listed.find(service) != std::string::npos) {
      std::puts(fmt::format("reflection={}", service).c_str());
    }
  }
  return 0;
}

// The log's records are sealed, so its own code writes them.
int SetLogFormat(const std::string& folder, const std::string& number) {
  auto log = LogStore::Open({.path = folder, .env = rocksdb::Env::Default()});
  if (!log.ok()) return 1;
  return (*log)->PutNodeRecord("format", "log " + number).ok() ? 0 : 1;
}

// The data store's format record is plain text, "data NUMBER".
int SetDataFormat(const std::string& folder, const std::string& number) {
  rocksdb::Options options;
  std::vector<std::string> names;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  if (!rocksdb::DB::ListColumnFamilies(options, folder, &names).ok()) return 1;
  for (const std::string& name : names) families.emplace_back(name, options);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  if (!rocksdb::DB::Open(options, folder, families, &handles, &raw).ok()) return 1;
  const std::unique_ptr<rocksdb::DB> db(raw);
  rocksdb::WriteOptions durable;
  durable.sync = true;
  int found = 0;
  for (auto* handle : handles) {
    const std::unique_ptr<rocksdb::Iterator> records(db->NewIterator({}, handle));
    for (records->SeekToFirst(); records->Valid(); records->Next()) {
      if (records->key().ToString().ends_with("format") && records->value().starts_with("data ") &&
          db->Put(durable, handle, records->key(), "data " + number).ok()) {
        ++found;
      }
    }
  }
  for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
  return found == 1 ? 0 : 1;
}

}  // namespace
}  // namespace quorate

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 2 && words[0] == "grpc") return quorate::AskGrpc(words[1]);
  if (words.size() == 4 && words[0] == "set-format") {
    const auto set = words[1] == "log" ? quorate::SetLogFormat : quorate::SetDataFormat;
    return set(words[2], words[3]);
  }
  std::fputs("usage: integration_probe grpc HOST:PORT | set-format data|log FOLDER NUMBER\n",
             stderr);
  return 2;
}
