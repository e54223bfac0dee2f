// engine/identity.h
//
// Identity maps identifiers (type and text) to the profiles they name, and draws ProfileIds: a counter from 1, never reused.
//
// A write claims its identifiers before it takes its shard's lock, and the change that is applied there confirms them:
//
//   Claim (no lock held) ──▶ entry is *pending* ──▶ Confirm (under the shard's lock, with the row) ──▶ entry is firm
//                                          └──────▶ Withdraw (under the shard's lock): refused, or the profile is gone
//
// A pending entry makes every later claim of it attach the identifier to the row as well, so that a write that went through an
// identifier is not lost when the write that brought it is refused. A profile that was drawn and has no row yet is *unborn*:
// the first change that reaches its shard creates the row. A profile without a row that is not unborn was deleted; ids never
// come back, so entries that still point to it are left-overs of a claim and may be withdrawn by whoever meets them.
//
// Threads     All methods from any thread. Claim locks the stripes of its identifiers in ascending order; all others lock one
//             stripe at a time and may be called under a shard's lock. Nothing here takes a shard's lock.
// Invariants  One identifier names one profile. Concurrent claims of one new identifier draw one ProfileId.
// Cost        About 26 bytes per identifier beside its text and 3 bytes of frame, kept in one arena per stripe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "storage/status.h"
#include "storage/value.h"

namespace korrel {

inline constexpr size_t kIdentifierBytesMax = 1'024;
inline constexpr size_t kIdentifiersPerWriteMax = 64;

struct IdentifierKey {
  IdentifierTypeId type;
  std::string_view text;  // lives in the request or the record
};

class Identity {
 public:
  Identity();
  ~Identity();

  std::optional<ProfileId> Find(IdentifierKey key) const;

  struct Claimed {
    ProfileId profile;
    bool drawn = false;    // the id is new
    uint64_t pending = 0;  // bit i: keys[i] is not firm, the change must carry it
  };
  // The profile that any of the keys (at most kIdentifiersPerWriteMax) or `named` names, drawn if none does; keys that named nobody
  // now name it. Errors: kFailedPrecondition WOULD_JOIN, naming both profiles; nothing changed.
  StatusOr<Claimed> Claim(std::span<const IdentifierKey> keys, std::optional<ProfileId> named);
  // What Claim would find, without claiming anything: the profile named (nullopt: one would be drawn), and whether every key names it
  // already. Errors: as Claim.
  struct Found {
    std::optional<ProfileId> profile;
    bool complete = false;
  };
  StatusOr<Found> Look(std::span<const IdentifierKey> keys, std::optional<ProfileId> named) const;

  // The identifier names the profile for good (inserts it where a record is replayed).
  void Confirm(IdentifierKey key, ProfileId profile);
  // The identifier no longer names the profile; nothing if it names another or nobody.
  void Withdraw(IdentifierKey key, ProfileId profile);

  bool IsUnborn(ProfileId profile) const;
  // The profile's row exists now, or never will. Also moves the counter beyond it, for replay.
  void Born(ProfileId profile);

  uint64_t identifier_count() const;
  size_t MemoryBytes() const;

 private:
  // Top bit of a stored id: pending.
  static constexpr uint64_t kPendingBit = uint64_t{1} << 63;
  struct Entry {
    const char* frame;  // u16 type, varint length, text
    mutable uint64_t profile;
  };
  struct Hash;
  struct Equal;
  struct Stripe;
  struct Unborn;
  struct Seen;

  Stripe& StripeOf(uint64_t hash) const;
  StatusOr<Seen> See(std::span<const IdentifierKey> keys, std::span<const uint64_t> hashes, std::optional<ProfileId> named) const;

  std::vector<std::unique_ptr<Stripe>> stripes_;
  std::vector<std::unique_ptr<Unborn>> unborn_;
  std::atomic<uint64_t> next_{1};  // drawn under the stripes of the identifiers that need it
};

}  // namespace korrel
