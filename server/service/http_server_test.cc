#include "server/service/http_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <thread>

#include "server/service/http_metrics.h"
#include "server/service/http_ready_check.h"

namespace quorate {
namespace {

using testing::HasSubstr;

TEST(HttpMetricsTest, IsPrometheusText) {
  kv::v1::GetNodeStatusResponse status;
  status.set_ready(true);
  status.set_epoch(12);
  status.set_replicas(17);
  status.set_leaders(5);
  status.set_uptime_ms(1500);
  status.add_peers()->set_alive(true);
  status.add_peers();
  const std::string text = FormatNodeMetrics(status);
  EXPECT_THAT(text, HasSubstr("# TYPE quorate_ready gauge\nquorate_ready 1\n"));
  EXPECT_THAT(text, HasSubstr("\nquorate_cluster_epoch 12\n"));
  EXPECT_THAT(text, HasSubstr("\nquorate_replicas 17\n"));
  EXPECT_THAT(text, HasSubstr("\nquorate_leaders 5\n"));
  EXPECT_THAT(text, HasSubstr("\nquorate_peers 2\n"));
  EXPECT_THAT(text, HasSubstr("\nquorate_peers_alive 1\n"));
  EXPECT_THAT(text, HasSubstr("\nquorate_uptime_seconds 1.5\n"));
}

TEST(HttpServerTest, TellsHealthReadinessAndMetrics) {
  std::atomic<bool> ready{false};
  auto server = HttpServer::Listen(
      "127.0.0.1:0", {.node_status =
                          [&] {
                            kv::v1::GetNodeStatusResponse status;
                            status.set_ready(ready);
                            if (!ready) status.set_not_ready_reason("no cluster yet");
                            return status;
                          },
                      .more_metrics = [] { return FormatMetric("more", "gauge", "More.", 3); }});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string address = fmt::format("127.0.0.1:{}", (*server)->port());
  std::thread thread([&] { (*server)->Serve(); });
  httplib::Client client("http://" + address);
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  const auto not_ready = client.Get("/readyz");
  EXPECT_EQ(not_ready->status, 503);
  EXPECT_THAT(not_ready->body, HasSubstr("no cluster yet"));
  EXPECT_EQ(std::string(CheckReadyOverHttp(address).message()), "not ready: no cluster yet");
  ready = true;
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  EXPECT_TRUE(CheckReadyOverHttp(address).ok());
  // A wildcard is where the node listens, not where it can be asked.
  EXPECT_TRUE(CheckReadyOverHttp(fmt::format("0.0.0.0:{}", (*server)->port())).ok());
  EXPECT_THAT(client.Get("/metrics")->body, HasSubstr("quorate_ready 1\n"));
  EXPECT_THAT(client.Get("/metrics")->body, HasSubstr("more 3\n"));
  EXPECT_EQ(client.Get("/other")->status, 404);

  const auto second = HttpServer::Listen(address, {});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("is taken"));
  (*server)->Stop();
  thread.join();
}

}  // namespace
}  // namespace quorate
