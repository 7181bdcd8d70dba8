// A KeyValueService for tests of what stands in front of it.
#ifndef SERVER_SERVICE_FAKE_KEY_VALUE_H_
#define SERVER_SERVICE_FAKE_KEY_VALUE_H_

#include <functional>
#include <string>
#include <utility>

#include "proto/error_detail.h"
#include "server/service/services.h"

namespace quorate {

// Answers with what the request says; a test may put its own functions in place.
class FakeKeyValue : public KeyValueService {
 public:
  std::function<void(const CallContext&, const kv::v1::GetRequest&, Reply<kv::v1::GetResponse>)>
      get = [](const auto&, const auto& request, auto reply) {
        kv::v1::GetResponse response;
        response.set_value("value of " + request.key());
        reply(std::move(response));
      };
  std::function<void(const CallContext&, const kv::v1::PutRequest&, Reply<kv::v1::PutResponse>)>
      put = [](const auto&, const auto&, auto reply) { reply(kv::v1::PutResponse()); };
  std::function<void(const CallContext&, const kv::v1::ScanRequest&, Reply<kv::v1::ScanResponse>)>
      scan;

  void Get(const CallContext& context, const kv::v1::GetRequest& request,
           Reply<kv::v1::GetResponse> reply) override {
    get(context, request, std::move(reply));
  }
  void Put(const CallContext& context, const kv::v1::PutRequest& request,
           Reply<kv::v1::PutResponse> reply) override {
    put(context, request, std::move(reply));
  }
  void Delete(const CallContext&, const kv::v1::DeleteRequest&,
              Reply<kv::v1::DeleteResponse> reply) override {
    reply(MakeError(kv::v1::REASON_NOT_LEADER, kv::v1::OUTCOME_NOT_DONE, "ask node 2"));
  }
  void Increment(const CallContext&, const kv::v1::IncrementRequest& request,
                 Reply<kv::v1::IncrementResponse> reply) override {
    kv::v1::IncrementResponse response;
    response.set_value(request.delta());
    reply(std::move(response));
  }
  void Batch(const CallContext&, const kv::v1::BatchRequest& request,
             Reply<kv::v1::BatchResponse> reply) override {
    kv::v1::BatchResponse response;
    for (const auto& operation : request.operations()) {
      response.add_results()->set_value("value of " + operation.get().key());
    }
    reply(std::move(response));
  }
  void ScanPage(const CallContext& context, const kv::v1::ScanRequest& request,
                Reply<kv::v1::ScanResponse> reply) override {
    scan(context, request, std::move(reply));
  }
};

}  // namespace quorate

#endif  // SERVER_SERVICE_FAKE_KEY_VALUE_H_
