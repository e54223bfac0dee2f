#include "engine/background.h"

#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace korrel {

void BecomeBackgroundThread() {
  constexpr uint64_t kLongestSliceNs = 100'000'000;  // what the kernel clamps to
  sched_attr attr{};
  constexpr pid_t kThisThread = 0;
  if (syscall(SYS_sched_getattr, kThisThread, &attr, sizeof(attr), 0) != 0) return;
  attr.sched_runtime = kLongestSliceNs;
  syscall(SYS_sched_setattr, kThisThread, &attr, 0);  // refused: things stay as they are
}

}  // namespace korrel
