// The log as a ring in memory: the newest records, bounded by their bytes. Everything appended counts as durable at once.
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "storage/log/log.h"

namespace korrel {
namespace {

// What may be reserved and not yet appended at one time; a writer beyond it is told to come again.
constexpr size_t kReservedBytesMax = 64u << 20;
constexpr size_t kRecordOverhead = 96;  // the deque's slot, the shared string and its own heap block

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
    auto shared = std::make_shared<const std::string>(std::move(record));
    Position position;
    bool somebody_waits = false;
    {
      std::lock_guard lock(mutex_);
      ring_bytes_ += shared->size() + kRecordOverhead;
      records_.push_back(std::move(shared));
      // The newest record stays, however large: it is what a reader waits for.
      while (ring_bytes_ > bytes_max_ && records_.size() > 1) {
        ring_bytes_ -= records_.front()->size() + kRecordOverhead;
        records_.pop_front();
        ++first_sequence_;
      }
      position = LastLocked();
      somebody_waits = waiting_ > 0;
    }
    if (somebody_waits) appended_.notify_all();
    return position;
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
    Record record;
    std::shared_ptr<const std::string> bytes;
    {
      std::lock_guard lock(mutex_);
      uint64_t next = SequenceBehind(after);
      if (next < first_sequence_)
        return MakeError(absl::StatusCode::kOutOfRange, "POSITION_GONE", "", "the records behind this position are not kept any more");
      if (next >= first_sequence_ + records_.size()) return std::optional<Record>();
      record.position = MakePosition(epoch_, next);
      bytes = records_[next - first_sequence_];
    }
    record.bytes = *bytes;  // outside the mutex: a reader of a large record must not hold up who appends
    return std::optional<Record>(std::move(record));
  }

  Position Dropped() const override {
    std::lock_guard lock(mutex_);
    return first_sequence_ == 1 ? Position() : MakePosition(epoch_, first_sequence_ - 1);
  }

  bool WaitBehind(Position after, Deadline deadline) const override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    bool there = appended_.wait_until(lock, deadline, [&] { return SequenceBehind(after) < first_sequence_ + records_.size(); });
    --waiting_;
    return there;
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

  // Positions of epochs before lie before the first record, those of later ones behind every record.
  uint64_t SequenceBehind(Position after) const {
    return EpochOf(after) < epoch_ ? 1 : EpochOf(after) > epoch_ ? UINT64_MAX : SequenceOf(after) + 1;
  }

  const size_t bytes_max_;
  const uint16_t epoch_;
  mutable std::mutex mutex_;
  mutable std::condition_variable appended_;
  mutable size_t waiting_ = 0;                              // readers in WaitBehind
  std::deque<std::shared_ptr<const std::string>> records_;  // sequences first_sequence_ and on; these five guarded by mutex_
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
