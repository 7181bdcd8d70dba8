#include "server/service/http_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <thread>

#include "server/service/http_ready_check.h"

namespace quorate {
namespace {

using testing::HasSubstr;

TEST(HttpServerTest, TellsHealthReadinessAndMetrics) {
  std::atomic<bool> ready{false};
  std::atomic<bool> healthy{true};
  auto server = HttpServer::Listen(
      "127.0.0.1:0", {.readiness =
                          [&] {
                            NodeReadiness readiness;
                            if (!ready)
                              readiness.causes = {{"no cluster yet", "run it"}, {"no disk", ""}};
                            return readiness;
                          },
                      .health =
                          [&] {
                            NodeReadiness health;
                            if (!healthy) health.causes = {{"the store failed", "restart"}};
                            return health;
                          },
                      .metrics = [] { return std::string("more 3\n"); }});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string address = fmt::format("127.0.0.1:{}", (*server)->port());
  std::thread thread([&] { (*server)->Serve(); });
  httplib::Client client("http://" + address);
  client.set_read_timeout(60);
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  EXPECT_EQ(client.Get("/healthz")->body, "ok\n");
  healthy = false;
  EXPECT_EQ(client.Get("/healthz")->status, 503);
  EXPECT_EQ(client.Get("/healthz")->body, "unhealthy: the store failed; restart\n");
  const auto not_ready = client.Get("/readyz");
  EXPECT_EQ(not_ready->status, 503);
  EXPECT_EQ(not_ready->body, "not ready: no cluster yet; run it\nnot ready: no disk\n");
  EXPECT_EQ(std::string(CheckReadyOverHttp(address).message()),
            "not ready: no cluster yet; run it\nnot ready: no disk");
  ready = true;
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  EXPECT_TRUE(CheckReadyOverHttp(address).ok());
  // A wildcard is where the node listens, not where it can be asked.
  EXPECT_TRUE(CheckReadyOverHttp(fmt::format("0.0.0.0:{}", (*server)->port())).ok());
  EXPECT_EQ(client.Get("/metrics")->body, "more 3\n");
  EXPECT_EQ(client.Get("/other")->status, 404);

  const auto second = HttpServer::Listen(address, {});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("is taken"));
  (*server)->Stop();
  thread.join();
}

}  // namespace
}  // namespace quorate
