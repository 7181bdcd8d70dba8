// A node's figures in Prometheus' text format.
#ifndef SERVER_SERVICE_HTTP_METRICS_H_
#define SERVER_SERVICE_HTTP_METRICS_H_

#include <string>
#include <string_view>

#include "kv/v1/admin.pb.h"

namespace quorate {

// One metric with its HELP and TYPE lines. `kind`: "gauge" or "counter".
std::string FormatMetric(std::string_view name, std::string_view kind, std::string_view help,
                         double value);
std::string FormatNodeMetrics(const kv::v1::GetNodeStatusResponse& status);

}  // namespace quorate

#endif  // SERVER_SERVICE_HTTP_METRICS_H_
