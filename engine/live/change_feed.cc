#include "engine/live/change_feed.h"

#include <algorithm>

#include "engine/mutation.h"

namespace korrel {
namespace {

size_t BytesOf(const LogStretch& stretch) { return sizeof(LogStretch) + 64 + stretch.changes.size() * sizeof(LogStretch::Change); }

}  // namespace

StatusOr<LogStretchRef> ChangeFeed::After(Position after) {
  {
    std::lock_guard<std::mutex> hold(mutex_);
    if (LogStretchRef kept = FindKept(after)) return kept;
    if (kept_.empty() || after >= kept_.back()->last) {
      KORREL_ASSIGN_OR_RETURN(LogStretchRef next, Decode(after));
      if (next) Keep(next);
      return next;
    }
  }
  return Decode(after);
}

uint64_t ChangeFeed::records_decoded() const { return records_decoded_.load(std::memory_order_relaxed); }

LogStretchRef ChangeFeed::FindKept(Position after) const {
  auto it = std::partition_point(kept_.begin(), kept_.end(), [&](const LogStretchRef& stretch) { return stretch->last <= after; });
  return it != kept_.end() && (*it)->after <= after ? *it : nullptr;
}

void ChangeFeed::Keep(const LogStretchRef& stretch) {
  if (!kept_.empty() && kept_.back()->last != stretch->after) {  // nobody read what lies between
    kept_.clear();
    kept_bytes_ = 0;
  }
  kept_.push_back(stretch);
  kept_bytes_ += BytesOf(*stretch);
  while (kept_bytes_ > kFeedBytesMax && kept_.size() > 1) {
    kept_bytes_ -= BytesOf(*kept_.front());
    kept_.pop_front();
  }
}

StatusOr<LogStretchRef> ChangeFeed::Decode(Position after) const {
  const Position durable = log_->Durable();
  auto stretch = std::make_shared<LogStretch>();
  stretch->after = stretch->last = after;
  for (size_t bytes = 0; bytes < kStretchBytesMax;) {
    StatusOr<std::optional<Log::Record>> record = log_->ReadAfter(stretch->last);
    if (!record.ok()) {
      if (stretch->last == after) return record.status();
      break;  // what was read is good; who asks behind it hears of the rest
    }
    if (!*record || (*record)->position > durable) break;
    KORREL_ASSIGN_OR_RETURN(std::vector<ProfileFlips> profiles, FlipsIn((*record)->bytes));
    records_decoded_.fetch_add(1, std::memory_order_relaxed);
    stretch->last = (*record)->position;
    bytes += (*record)->bytes.size() + 1;
    for (const ProfileFlips& profile : profiles) {
      for (const SegmentFlip& flip : profile.flips) stretch->changes.push_back({stretch->last, profile.profile, flip});
    }
  }
  if (stretch->last == after) return LogStretchRef();
  return LogStretchRef(std::move(stretch));
}

}  // namespace korrel
