#include "clients/cli/interrupt.h"

#include <time.h>

namespace korrel::cli {

HeldSignals::HeldSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

InterruptListener::InterruptListener(const HeldSignals& held, std::function<void()> interrupted)
    : thread_([this, &held, interrupted = std::move(interrupted)] { Wait(held.signals(), interrupted); }) {}

InterruptListener::~InterruptListener() {
  stopping_ = true;
  thread_.join();
}

void InterruptListener::Wait(const sigset_t& signals, const std::function<void()>& interrupted) {
  constexpr timespec kLookEvery{.tv_sec = 0, .tv_nsec = 50'000'000};
  while (!stopping_ && sigtimedwait(&signals, nullptr, &kLookEvery) < 0) {
  }
  if (stopping_) return;
  interrupted();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // here alone: enough for the next one to be delivered
  while (!stopping_) nanosleep(&kLookEvery, nullptr);
}

}  // namespace korrel::cli
