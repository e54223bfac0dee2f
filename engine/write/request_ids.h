// engine/write/request_ids.h
//
// RequestIds remembers the answers to the newest write requests by the id their callers chose, so that repeating a request is
// safe: the same content gets the first answer again, another content is refused, and a repeat that arrives while the first is
// still at work waits for it.
//
// Remembered are at most a million requests, none for longer than 24 hours of the machine's time, and no more answers than fit into
// a fixed number of bytes (an answer with many item errors is larger than a clean one); the oldest are forgotten first.
//
// Threads  All methods from any thread. Run calls `work` on the caller's thread with no lock held.
// Errors   kAlreadyExists REQUEST_ID_REUSED; kInvalidArgument FIELD for an id over 64 bytes or not UTF-8.
#pragma once

#include <any>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/status.h"

namespace korrel {

class RequestIds {
 public:
  struct Limits {
    size_t count_max = 1'000'000;
    size_t bytes_max = size_t{256} << 20;
    int64_t age_us_max = int64_t{24} * 3600 * 1'000'000;
  };
  // Microseconds of the machine's steady clock; tests bring their own.
  using MachineClock = std::function<int64_t()>;

  RequestIds();
  RequestIds(Limits limits, MachineClock machine);

  // Does `work` once per id and content. An answer that is an error had no effect and is not remembered. `bytes` says how much an
  // answer takes beside its own size. An empty id protects nothing: work is done.
  template <class Answer>
  StatusOr<Answer> Run(std::string_view id, std::string_view digest, const std::function<StatusOr<Answer>()>& work,
                       const std::function<size_t(const Answer&)>& bytes) {
    if (id.empty()) return work();
    std::shared_ptr<Entry> entry;
    KORREL_ASSIGN_OR_RETURN(bool first, Begin(id, digest, &entry));
    if (!first) {
      const Answer* answer = std::any_cast<Answer>(&entry->answer);
      return answer ? StatusOr<Answer>(*answer) : StatusOr<Answer>(Reused(id));
    }
    // Whoever repeats the request waits for its end, so there is one even where `work` throws.
    Ending ending(this, entry);
    StatusOr<Answer> answer = work();
    if (answer.ok()) ending.Remember(std::any(*answer), sizeof(Answer) + bytes(*answer));
    return answer;
  }

  size_t count() const;
  uint64_t OldestAgeUs() const;  // 0: none

 private:
  struct Entry {
    std::string id, digest;
    int64_t time_us = 0;
    size_t bytes = 0;
    bool done = false;
    std::any answer;  // empty: failed without effect, forgotten
  };
  // Ends the work on an entry: with its answer, or else, also where something was thrown, as failed.
  class Ending {
   public:
    Ending(RequestIds* ids, std::shared_ptr<Entry> entry) : ids_(ids), entry_(std::move(entry)) {}
    ~Ending() {
      if (entry_) ids_->End(entry_, std::any(), 0);
    }
    Ending(const Ending&) = delete;
    void Remember(std::any answer, size_t bytes) { ids_->End(std::exchange(entry_, nullptr), std::move(answer), bytes); }

   private:
    RequestIds* const ids_;
    std::shared_ptr<Entry> entry_;
  };

  // True: the caller does the work and calls End. False: `entry` is done and has an answer.
  StatusOr<bool> Begin(std::string_view id, std::string_view digest, std::shared_ptr<Entry>* entry);
  void End(const std::shared_ptr<Entry>& entry, std::any answer, size_t answer_bytes);
  void ForgetOld();
  static Status Reused(std::string_view id);

  const Limits limits_;
  const MachineClock machine_;
  // mutex_ guards everything below and what the entries hold; an entry that is done never changes.
  mutable std::mutex mutex_;
  std::condition_variable done_;
  absl::flat_hash_map<std::string_view, std::shared_ptr<Entry>> by_id_;  // keys live in the entries
  std::deque<std::shared_ptr<Entry>> by_age_;                            // done ones, oldest first
  size_t bytes_ = 0;
};

}  // namespace korrel
