#include "engine/identity.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/base/thread_annotations.h"
#include "engine/database.h"

namespace korrel {
namespace {

constexpr size_t kStripes = 64;  // a power of two
constexpr size_t kArenaChunkBytes = 16 * 1024;

uint64_t HashOf(IdentifierKey key) { return XXH3_64bits_withSeed(key.text.data(), key.text.size(), key.type.value); }

// A frame is u16 type, u16 length, text. Identifiers are at most kIdentifierBytesMax long.
constexpr size_t kFrameHead = 4;
IdentifierKey KeyOf(const char* frame) {
  uint16_t head[2];
  std::memcpy(head, frame, kFrameHead);
  return {IdentifierTypeId(head[0]), {frame + kFrameHead, head[1]}};
}

// Texts of one stripe, one behind the other. Removed ones are only counted; the stripe is rewritten when they are half of it.
class Arena {
 public:
  const char* Put(IdentifierKey key) {
    size_t size = kFrameHead + key.text.size();
    if (chunks_.empty() || used_ + size > kArenaChunkBytes) {
      chunks_.push_back(std::make_unique<char[]>(kArenaChunkBytes));
      used_ = 0;
    }
    char* frame = chunks_.back().get() + used_;
    uint16_t head[2] = {key.type.value, static_cast<uint16_t>(key.text.size())};
    std::memcpy(frame, head, kFrameHead);
    std::memcpy(frame + kFrameHead, key.text.data(), key.text.size());
    used_ += size;
    live_bytes_ += size;
    return frame;
  }
  void Drop(const char* frame) {
    size_t size = kFrameHead + KeyOf(frame).text.size();
    live_bytes_ -= size;
    dead_bytes_ += size;
  }
  bool half_dead() const { return dead_bytes_ > kArenaChunkBytes && dead_bytes_ > live_bytes_; }
  size_t MemoryBytes() const { return chunks_.size() * kArenaChunkBytes; }

 private:
  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t used_ = 0, live_bytes_ = 0, dead_bytes_ = 0;
};

Status WouldJoin(ProfileId a, ProfileId b) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "WOULD_JOIN", "identifiers",
                   fmt::format("the identifiers name two profiles, {} and {}; joining profiles is not possible yet",
                               FormatProfileId(std::min(a, b)), FormatProfileId(std::max(a, b))));
}

}  // namespace

struct Identity::Hash {
  using is_transparent = void;
  size_t operator()(const Entry& entry) const { return HashOf(KeyOf(entry.frame)); }
  size_t operator()(const IdentifierKey& key) const { return HashOf(key); }
};
struct Identity::Equal {
  using is_transparent = void;
  static bool Same(IdentifierKey a, IdentifierKey b) { return a.type == b.type && a.text == b.text; }
  bool operator()(const Entry& a, const Entry& b) const { return Same(KeyOf(a.frame), KeyOf(b.frame)); }
  bool operator()(const Entry& a, const IdentifierKey& b) const { return Same(KeyOf(a.frame), b); }
  bool operator()(const IdentifierKey& a, const Entry& b) const { return Same(a, KeyOf(b.frame)); }
};

struct Identity::Stripe {
  mutable std::mutex mutex;
  absl::flat_hash_set<Entry, Hash, Equal> entries ABSL_GUARDED_BY(mutex);
  Arena arena ABSL_GUARDED_BY(mutex);

  void Insert(IdentifierKey key, uint64_t profile) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { entries.insert(Entry{arena.Put(key), profile}); }

  void Erase(IdentifierKey key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    auto it = entries.find(key);
    const char* frame = it->frame;
    entries.erase(it);
    arena.Drop(frame);
    if (arena.half_dead()) Rewrite();
  }

  void Rewrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Arena fresh;
    absl::flat_hash_set<Entry, Hash, Equal> moved;
    moved.reserve(entries.size());
    for (const Entry& entry : entries) moved.insert(Entry{fresh.Put(KeyOf(entry.frame)), entry.profile});
    entries = std::move(moved);  // the old frames are still alive here: moving hashes nothing, but destroys nothing either
    arena = std::move(fresh);
  }
};

// Profiles drawn whose row does not exist yet: as many as writes are on their way.
struct Identity::Unborn {
  mutable std::mutex mutex;
  absl::flat_hash_set<ProfileId> ids ABSL_GUARDED_BY(mutex);
};

// What the stripes say about the keys of one claim.
struct Identity::Seen {
  std::optional<ProfileId> profile;
  uint64_t missing = 0, pending = 0;  // bit i: keys[i] has no entry, a pending one
};

Identity::Identity() {
  for (size_t i = 0; i < kStripes; ++i) {
    stripes_.push_back(std::make_unique<Stripe>());
    unborn_.push_back(std::make_unique<Unborn>());
  }
}
Identity::~Identity() = default;

// The high bits: a stripe's own table uses the low ones.
Identity::Stripe& Identity::StripeOf(uint64_t hash) const { return *stripes_[(hash >> 48) % kStripes]; }

std::optional<ProfileId> Identity::Find(IdentifierKey key) const {
  Stripe& stripe = StripeOf(HashOf(key));
  std::lock_guard<std::mutex> hold(stripe.mutex);
  auto it = stripe.entries.find(key);
  if (it == stripe.entries.end()) return std::nullopt;
  return ProfileId(it->profile & ~kPendingBit);
}

namespace {

// Locks the stripes of a claim, each once, in ascending order. Which ones is known only at run time, so that the clang analysis
// cannot follow; the functions that use it say so.
class StripeLocks {
 public:
  void Add(size_t stripe) { wanted_ |= uint64_t{1} << stripe; }
  template <class MutexOf>
  void LockAll(MutexOf mutex_of) {
    for (size_t i = 0; i < kStripes; ++i) {
      if (wanted_ >> i & 1) held_[count_++] = std::unique_lock<std::mutex>(mutex_of(i));
    }
  }

 private:
  static_assert(kStripes <= 64, "one bit per stripe");
  uint64_t wanted_ = 0;
  std::array<std::unique_lock<std::mutex>, kIdentifiersPerWriteMax> held_;
  size_t count_ = 0;
};

}  // namespace

StatusOr<Identity::Seen> Identity::See(std::span<const IdentifierKey> keys, std::span<const uint64_t> hashes,
                                       std::optional<ProfileId> named) const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Seen seen;
  seen.profile = named;
  for (size_t i = 0; i < keys.size(); ++i) {
    const Stripe& stripe = StripeOf(hashes[i]);
    auto it = stripe.entries.find(keys[i]);
    if (it == stripe.entries.end()) {
      seen.missing |= uint64_t{1} << i;
      continue;
    }
    ProfileId profile(it->profile & ~kPendingBit);
    if (it->profile & kPendingBit) seen.pending |= uint64_t{1} << i;
    if (seen.profile && *seen.profile != profile) return WouldJoin(*seen.profile, profile);
    seen.profile = profile;
  }
  return seen;
}

StatusOr<Identity::Found> Identity::Look(std::span<const IdentifierKey> keys,
                                         std::optional<ProfileId> named) const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  std::array<uint64_t, kIdentifiersPerWriteMax> hashes;
  StripeLocks locks;
  for (size_t i = 0; i < keys.size(); ++i) {
    hashes[i] = HashOf(keys[i]);
    locks.Add((hashes[i] >> 48) % kStripes);
  }
  locks.LockAll([this](size_t i) -> std::mutex& { return stripes_[i]->mutex; });
  KORREL_ASSIGN_OR_RETURN(Seen seen, See(keys, std::span(hashes).first(keys.size()), named));
  return Found{seen.profile, seen.missing == 0};
}

StatusOr<Identity::Claimed> Identity::Claim(std::span<const IdentifierKey> keys,
                                            std::optional<ProfileId> named) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  std::array<uint64_t, kIdentifiersPerWriteMax> hashes;
  StripeLocks locks;
  for (size_t i = 0; i < keys.size(); ++i) {
    hashes[i] = HashOf(keys[i]);
    locks.Add((hashes[i] >> 48) % kStripes);
  }
  locks.LockAll([this](size_t i) -> std::mutex& { return stripes_[i]->mutex; });
  KORREL_ASSIGN_OR_RETURN(Seen seen, See(keys, std::span(hashes).first(keys.size()), named));

  Claimed claimed;
  claimed.pending = seen.pending | seen.missing;
  claimed.drawn = !seen.profile;
  if (claimed.drawn) {
    claimed.profile = ProfileId(next_.fetch_add(1, std::memory_order_relaxed));
    Unborn& unborn = *unborn_[claimed.profile.value % kStripes];
    std::lock_guard<std::mutex> hold(unborn.mutex);
    unborn.ids.insert(claimed.profile);
  } else {
    claimed.profile = *seen.profile;
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    Stripe& stripe = StripeOf(hashes[i]);
    // Looked up again: the same new identifier may stand twice among the keys.
    if (seen.missing >> i & 1 && !stripe.entries.contains(keys[i])) stripe.Insert(keys[i], claimed.profile.value | kPendingBit);
  }
  return claimed;
}

void Identity::Confirm(IdentifierKey key, ProfileId profile) {
  Stripe& stripe = StripeOf(HashOf(key));
  std::lock_guard<std::mutex> hold(stripe.mutex);
  auto it = stripe.entries.find(key);
  if (it == stripe.entries.end()) {
    stripe.Insert(key, profile.value);
  } else {
    it->profile = profile.value;
  }
}

void Identity::Withdraw(IdentifierKey key, ProfileId profile) {
  Stripe& stripe = StripeOf(HashOf(key));
  std::lock_guard<std::mutex> hold(stripe.mutex);
  auto it = stripe.entries.find(key);
  if (it != stripe.entries.end() && (it->profile & ~kPendingBit) == profile.value) stripe.Erase(key);
}

bool Identity::IsUnborn(ProfileId profile) const {
  const Unborn& unborn = *unborn_[profile.value % kStripes];
  std::lock_guard<std::mutex> hold(unborn.mutex);
  return unborn.ids.contains(profile);
}

void Identity::Born(ProfileId profile) {
  {
    Unborn& unborn = *unborn_[profile.value % kStripes];
    std::lock_guard<std::mutex> hold(unborn.mutex);
    unborn.ids.erase(profile);
  }
  uint64_t next = next_.load(std::memory_order_relaxed);
  while (next <= profile.value && !next_.compare_exchange_weak(next, profile.value + 1, std::memory_order_relaxed)) {
  }
}

uint64_t Identity::identifier_count() const {
  uint64_t count = 0;
  for (const auto& stripe : stripes_) {
    std::lock_guard<std::mutex> hold(stripe->mutex);
    count += stripe->entries.size();
  }
  return count;
}

size_t Identity::MemoryBytes() const {
  size_t bytes = 0;
  for (const auto& stripe : stripes_) {
    std::lock_guard<std::mutex> hold(stripe->mutex);
    bytes += stripe->arena.MemoryBytes() + stripe->entries.capacity() * (sizeof(Entry) + 1);
  }
  return bytes;
}

}  // namespace korrel
