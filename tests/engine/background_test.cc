// Goal: background work asks for long slices and for nothing else: its share and its class stay what they are.
#include "engine/background.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

namespace korrel {
namespace {

// The kernel's struct sched_attr, whose header and <sched.h> cannot both be included.
struct Attributes {
  uint32_t size, sched_policy;
  uint64_t sched_flags;
  int32_t sched_nice;
  uint32_t sched_priority;
  uint64_t sched_runtime, sched_deadline, sched_period;
};

Attributes OfThisThread() {
  Attributes attr{};
  EXPECT_EQ(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0), 0);
  return attr;
}

TEST(Background, OnlyTheSliceOfTheCallingThreadChanges) {
  const Attributes before = OfThisThread();
  std::thread([&] {
    BecomeBackgroundThread();
    const Attributes after = OfThisThread();
    EXPECT_EQ(after.sched_policy, before.sched_policy);
    EXPECT_EQ(after.sched_nice, before.sched_nice);
    EXPECT_EQ(after.sched_flags, before.sched_flags);
    // Kernels that know of slices tell them; for others it is 0.
    if (before.sched_runtime > 0) {
      EXPECT_EQ(after.sched_runtime, 100'000'000u);
    }
  }).join();
  EXPECT_EQ(OfThisThread().sched_runtime, before.sched_runtime);
}

}  // namespace
}  // namespace korrel
