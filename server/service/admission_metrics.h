// What the admission tells of itself.
#ifndef SERVER_SERVICE_ADMISSION_METRICS_H_
#define SERVER_SERVICE_ADMISSION_METRICS_H_

#include <memory>
#include <vector>

#include "server/runtime/metrics.h"
#include "server/service/admission.h"

namespace quorate {

// Told until the handles die; `admission` outlives them.
[[nodiscard]] std::vector<std::shared_ptr<void>> AddAdmissionMetrics(MetricsRegistry& registry,
                                                                     const Admission* admission);

}  // namespace quorate

#endif  // SERVER_SERVICE_ADMISSION_METRICS_H_
