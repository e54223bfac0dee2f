// The log as a ring in memory: the newest records, bounded by their bytes. Everything appended counts as durable at once.
#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

#include "storage/log/log.h"

namespace korrel {
namespace {

// What may be reserved and not yet appended at one time; a writer beyond it is told to come again.
constexpr size_t kReservedBytesMax = 64u << 20;
constexpr size_t kRecordOverhead = 64;  // the deque's slot and the string's own heap block

class MemoryLog final : public Log {
 public:
  MemoryLog(size_t bytes_max, uint16_t epoch) : bytes_max_(bytes_max), epoch_(epoch) {}

  StatusOr<Reservation> Reserve(size_t bytes) override {
    std::lock_guard lock(mutex_);
    if (bytes > kReservedBytesMax - reserved_bytes_)
      return MakeError(absl::StatusCode::kResourceExhausted, "QUEUE", "", "the log's budget of unwritten bytes is used up; try again");
    reserved_bytes_ += bytes;
    return Reservation(this, bytes);
  }

  Position Append(std::string record) override {
    std::lock_guard lock(mutex_);
    ring_bytes_ += record.size() + kRecordOverhead;
    records_.push_back(std::move(record));
    // The newest record stays, however large: it is what a reader waits for.
    while (ring_bytes_ > bytes_max_ && records_.size() > 1) {
      ring_bytes_ -= records_.front().size() + kRecordOverhead;
      records_.pop_front();
      ++first_sequence_;
    }
    return LastLocked();
  }

  Position Last() const override {
    std::lock_guard lock(mutex_);
    return LastLocked();
  }
  uint16_t Epoch() const override { return epoch_; }
  Position Durable() const override { return Last(); }
  void WhenDurable(Position, std::function<void(Status)> done) override { done(absl::OkStatus()); }
  Durability Strongest() const override { return Durability::kMemory; }

  StatusOr<std::optional<Record>> ReadAfter(Position after) const override {
    std::lock_guard lock(mutex_);
    uint64_t next = EpochOf(after) < epoch_ ? 1 : EpochOf(after) > epoch_ ? UINT64_MAX : SequenceOf(after) + 1;
    if (next < first_sequence_)
      return MakeError(absl::StatusCode::kOutOfRange, "POSITION_GONE", "", "the records behind this position are not kept any more");
    if (next >= first_sequence_ + records_.size()) return std::optional<Record>();
    return std::optional<Record>(Record{MakePosition(epoch_, next), records_[next - first_sequence_]});
  }

 protected:
  void ReleaseReservation(size_t bytes) override {
    std::lock_guard lock(mutex_);
    reserved_bytes_ -= std::min(bytes, reserved_bytes_);
  }

 private:
  Position LastLocked() const {
    uint64_t behind_last = first_sequence_ + records_.size();
    return behind_last == 1 ? Position() : MakePosition(epoch_, behind_last - 1);
  }

  const size_t bytes_max_;
  const uint16_t epoch_;
  mutable std::mutex mutex_;
  std::deque<std::string> records_;  // sequences first_sequence_ and on; these four guarded by mutex_
  uint64_t first_sequence_ = 1;
  size_t ring_bytes_ = 0;
  size_t reserved_bytes_ = 0;
};

}  // namespace

Log::Reservation& Log::Reservation::operator=(Reservation&& o) noexcept {
  if (this == &o) return *this;
  Release();
  log_ = std::exchange(o.log_, nullptr);
  bytes_ = o.bytes_;
  return *this;
}

void Log::Reservation::Release() {
  if (log_) std::exchange(log_, nullptr)->ReleaseReservation(bytes_);
}

std::unique_ptr<Log> MakeMemoryLog(size_t bytes_max, uint16_t epoch) { return std::make_unique<MemoryLog>(bytes_max, epoch); }

}  // namespace korrel
