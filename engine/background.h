// engine/background.h
//
// Threads that work in the background tell the scheduler so: whoever wakes to answer a request then runs before they have used up their
// slices of some milliseconds. Nobody's share of the processor changes.
#pragma once

namespace korrel {

// The calling thread asks for the longest slices there are. Linux 6.12 and later lets threads of shorter ones go first; earlier kernels
// take no notice.
void BecomeBackgroundThread();

}  // namespace korrel
