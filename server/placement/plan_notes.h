// What people should know about a plan.
#ifndef SERVER_PLACEMENT_PLAN_NOTES_H_
#define SERVER_PLACEMENT_PLAN_NOTES_H_

#include <string>
#include <vector>

#include "server/placement/load_bounds.h"
#include "server/placement/placement_node.h"
#include "server/placement/planner.h"

namespace quorate {

// All three in the same order. See KeyspacePlan::notes.
[[nodiscard]] std::vector<std::string> ExplainPlan(const std::vector<PlacementNode>& nodes,
                                                   const std::vector<LoadBounds>& bounds,
                                                   const std::vector<PlannedLoad>& loads);

}  // namespace quorate

#endif  // SERVER_PLACEMENT_PLAN_NOTES_H_
