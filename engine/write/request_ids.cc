#include "engine/write/request_ids.h"

#include <fmt/format.h>

#include <chrono>

#include "storage/value.h"

namespace korrel {
namespace {

constexpr size_t kRequestIdBytesMax = 64;
constexpr size_t kEntryBytes = 200;  // entry, control block, places in the map and the queue

int64_t SteadyNowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

RequestIds::RequestIds() : RequestIds(Limits(), SteadyNowUs) {}
RequestIds::RequestIds(Limits limits, MachineClock machine) : limits_(limits), machine_(std::move(machine)) {}

Status RequestIds::Reused(std::string_view id) {
  return MakeError(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED", "request_id",
                   fmt::format("request id '{}' was used for another request", id));
}

StatusOr<bool> RequestIds::Begin(std::string_view id, std::string_view digest, std::shared_ptr<Entry>* entry) {
  if (id.size() > kRequestIdBytesMax || !IsValidUtf8(id)) {
    return InvalidArgument("FIELD", "request_id", fmt::format("a request id is UTF-8 of at most {} bytes", kRequestIdBytesMax));
  }
  std::unique_lock<std::mutex> hold(mutex_);
  ForgetOld();
  for (;;) {
    auto it = by_id_.find(id);
    if (it == by_id_.end()) break;
    *entry = it->second;
    if ((*entry)->digest != digest) return Reused(id);
    if ((*entry)->done) return false;
    done_.wait(hold, [&] { return (*entry)->done; });
    if ((*entry)->answer.has_value()) return false;
    // It failed without effect and is forgotten: one of those who waited does the work.
  }
  *entry = std::make_shared<Entry>();
  (*entry)->id = id;
  (*entry)->digest = digest;
  by_id_.emplace((*entry)->id, *entry);
  return true;
}

void RequestIds::End(const std::shared_ptr<Entry>& entry, std::any answer, size_t answer_bytes) {
  std::lock_guard<std::mutex> hold(mutex_);
  entry->done = true;
  done_.notify_all();
  if (!answer.has_value()) {
    by_id_.erase(std::string_view(entry->id));
    return;
  }
  entry->answer = std::move(answer);
  entry->time_us = machine_();
  entry->bytes = kEntryBytes + entry->digest.size() + answer_bytes;
  bytes_ += entry->bytes;
  by_age_.push_back(entry);
  ForgetOld();
}

void RequestIds::ForgetOld() {
  int64_t oldest_us = machine_() - limits_.age_us_max;
  while (!by_age_.empty() && (by_age_.size() > limits_.count_max || bytes_ > limits_.bytes_max || by_age_.front()->time_us < oldest_us)) {
    std::shared_ptr<Entry> entry = std::move(by_age_.front());
    by_age_.pop_front();
    bytes_ -= entry->bytes;
    by_id_.erase(std::string_view(entry->id));
  }
}

size_t RequestIds::count() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return by_age_.size();
}

uint64_t RequestIds::OldestAgeUs() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return by_age_.empty() ? 0 : static_cast<uint64_t>(machine_() - by_age_.front()->time_us);
}

}  // namespace korrel
