// main() of every test binary that runs the simulator.
#include <gtest/gtest.h>

#include "tests/sim/determinism.h"

int main(int argc, char** argv) {
  quorate::sim::EnsureDeterministicAddresses(argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
