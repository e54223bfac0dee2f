// storage/log/log.h
//
// The log: one append-only sequence of records with one position order. Small on purpose, so that a memory ring (now), a local
// file and an existing distributed log can stand behind it.
//
// Two steps make an append that cannot fail under a lock: Reserve takes bytes of the budget (may refuse, holds no lock), Append
// takes the next position and stores the record (cannot fail; may write more than was reserved, the rest is borrowed).
//
// Threads  All methods from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/status.h"
#include "storage/value.h"

namespace korrel {

inline constexpr Position MakePosition(uint16_t epoch, uint64_t sequence) { return Position(uint64_t{epoch} << 48 | sequence); }
inline constexpr uint16_t EpochOf(Position p) { return static_cast<uint16_t>(p.value >> 48); }
inline constexpr uint64_t SequenceOf(Position p) { return p.value & ((uint64_t{1} << 48) - 1); }

inline constexpr size_t kMemoryLogBytes = size_t{64} << 20;

enum class Durability : uint8_t { kUnspecified = 0, kSynced, kBuffered, kMemory };

class Log {
 public:
  virtual ~Log() = default;

  class Reservation {
   public:
    Reservation() = default;
    Reservation(Log* log, size_t bytes) : log_(log), bytes_(bytes) {}
    Reservation(Reservation&& o) noexcept : log_(o.log_), bytes_(o.bytes_) { o.log_ = nullptr; }
    Reservation& operator=(Reservation&& o) noexcept;
    ~Reservation() { Release(); }
    size_t bytes() const { return bytes_; }

   private:
    void Release();
    Log* log_ = nullptr;
    size_t bytes_ = 0;
  };
  // Errors: kResourceExhausted QUEUE when the budget of unwritten bytes is used up.
  virtual StatusOr<Reservation> Reserve(size_t bytes) = 0;

  // Takes the next position and stores the record. Call under the lock that orders the change.
  virtual Position Append(std::string record) = 0;

  virtual uint16_t Epoch() const = 0;    // of the positions that Append gives
  virtual Position Last() const = 0;     // newest position appended
  virtual Position Durable() const = 0;  // newest position that is durable; a memory log calls everything durable at once
  // Calls back once everything up to `position` is durable, at once where it is already. Never under a caller's lock for long.
  virtual void WhenDurable(Position position, std::function<void(Status)> done) = 0;
  virtual Durability Strongest() const = 0;

  struct Record {
    Position position;
    std::string bytes;
  };
  // The first record behind `after`. Errors: kOutOfRange POSITION_GONE when it was dropped already. nullopt: none yet.
  virtual StatusOr<std::optional<Record>> ReadAfter(Position after) const = 0;
  // The newest position dropped: behind it everything is kept. Position() as long as nothing was.
  virtual Position Dropped() const = 0;
  // Waits until a record behind `after` is durable. false: there was none by the deadline. Nobody waiting costs an append nothing.
  using Deadline = std::chrono::steady_clock::time_point;
  virtual bool WaitBehind(Position after, Deadline deadline) const = 0;

 protected:
  virtual void ReleaseReservation(size_t bytes) = 0;
};

// The newest records in memory, bounded by bytes alone. Whoever starts again with an empty one gives it another epoch, or positions of
// the run before would be taken for this one's.
std::unique_ptr<Log> MakeMemoryLog(size_t bytes_max = kMemoryLogBytes, uint16_t epoch = 1);

}  // namespace korrel
