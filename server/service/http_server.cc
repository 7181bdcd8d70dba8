#include "server/service/http_server.h"

#include <fmt/format.h>
#include <httplib.h>

#include <atomic>

#include "server/runtime/grpc_listen.h"
#include "server/runtime/mutex.h"

namespace quorate {
namespace {

constexpr size_t kThreads = 2;
constexpr time_t kServerTimeoutSeconds = 2;
// Connections taken and not begun.
constexpr size_t kWaitingMax = 32;
constexpr size_t kRequestBytesMax = 4096;
constexpr char kPlainText[] = "text/plain; charset=utf-8";

// The library's pool queues connections without bound. Here the accepting thread waits instead, and
// what comes meanwhile waits in the kernel's queue, which has a bound.
class BoundedPool final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> task) override {
    {
      MutexLock lock(&mutex_);
      while (waiting_ >= kWaitingMax) begun_.Wait(&mutex_);
      ++waiting_;
    }
    pool_.enqueue([this, task = std::move(task)] {
      {
        MutexLock lock(&mutex_);
        --waiting_;
      }
      begun_.NotifyOne();
      task();
    });
  }
  void shutdown() override { pool_.shutdown(); }

 private:
  httplib::ThreadPool pool_{kThreads};
  Mutex mutex_;
  CondVar begun_;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

class HttpServerImpl final : public HttpServer {
 public:
  explicit HttpServerImpl(HttpSources sources) : sources_(std::move(sources)) {
    server_.new_task_queue = [] { return new BoundedPool(); };
    // The library's default, SO_REUSEPORT, lets two servers share a port unnoticed.
    server_.set_socket_options([](socket_t descriptor) {
      const int on = 1;
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    });
    // A kept connection would hold one of the two threads.
    server_.set_keep_alive_max_count(1);
    server_.set_read_timeout(kServerTimeoutSeconds);
    server_.set_write_timeout(kServerTimeoutSeconds);
    server_.set_payload_max_length(kRequestBytesMax);
    AddPages();
  }
  ~HttpServerImpl() override { Stop(); }

  bool Bind(const std::string& host, int port) {
    if (port == 0) {
      port_ = server_.bind_to_any_port(host.c_str());
      return port_ > 0;
    }
    port_ = port;
    return server_.bind_to_port(host.c_str(), port);
  }
  [[nodiscard]] int port() const override { return port_; }
  void Serve() override {
    if (!stopped_) server_.listen_after_bind();
  }
  void Stop() override {
    stopped_ = true;
    server_.stop();
  }

 private:
  void AddPages() {
    AddReadiness("/healthz", "ok", "unhealthy", sources_.health);
    AddReadiness("/readyz", "ready", "not ready", sources_.readiness);
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(sources_.metrics(), "text/plain; version=0.0.4; charset=utf-8");
    });
  }

  void AddReadiness(const char* path, const char* good, const char* bad,
                    const std::function<NodeReadiness()>& ask) {
    server_.Get(path, [good, bad, &ask](const httplib::Request&, httplib::Response& response) {
      const NodeReadiness answer = ask();
      std::string text = answer.ready() ? fmt::format("{}\n", good) : "";
      for (const NodeReadiness::Cause& cause : answer.causes) {
        text += fmt::format("{}: {}\n", bad, cause.Text());
      }
      response.status = answer.ready() ? 200 : 503;
      response.set_content(text, kPlainText);
    });
  }

  const HttpSources sources_;
  httplib::Server server_;
  int port_ = 0;
  std::atomic<bool> stopped_{false};
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(const std::string& address,
                                                               HttpSources sources) {
  auto server = std::make_unique<HttpServerImpl>(std::move(sources));
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  const int port = std::atoi(address.substr(colon + 1).c_str());
  if (!server->Bind(host, port)) return ExplainListenFailure(address, "--http");
  return server;
}

}  // namespace quorate
