// clients/cli/interrupt.h
//
// The first SIGTERM or SIGINT as a call, so that a command that runs until it is interrupted ends with what it has. A second one
// ends the process as if nobody had listened.
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

namespace korrel::cli {

// Holds the two signals back in this thread and all that it makes. To be there before any other thread is made.
class HeldSignals {
 public:
  HeldSignals();
  ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  const sigset_t& signals() const { return signals_; }

 private:
  sigset_t signals_, before_;
};

// Calls `interrupted` once, from a thread of its own, at the first signal; at once where one was held back already.
class InterruptListener {
 public:
  InterruptListener(const HeldSignals& held, std::function<void()> interrupted);
  ~InterruptListener();
  InterruptListener(const InterruptListener&) = delete;

 private:
  void Wait(const sigset_t& signals, const std::function<void()>& interrupted);
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace korrel::cli
