#include "engine/live/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "engine/catalog/catalog.h"
#include "engine/core.h"

namespace korrel {
namespace {

// A consumer that hears nothing for a second must be able to tell silence from a broken stream.
constexpr std::chrono::seconds kSilenceMax{1};
// A change as it travels: text and number of the profile, position, time, cause.
constexpr size_t kChangeBytes = 72;
constexpr size_t kNextBytes = size_t{256} << 10;

Status Gone() {
  return MakeError(
      absl::StatusCode::kOutOfRange, "POSITION_GONE", "after_positions",
      "the changes behind this position are not kept any more; read the members again and watch from the position of that answer");
}

// Which segments are meant, by id; found out once for each.
class Filter {
 public:
  Filter(const SegmentNames& names, const std::vector<std::string>& wanted) : names_(names), wanted_(wanted) {
    std::sort(wanted_.begin(), wanted_.end());
  }

  // The segment's name; empty where it is not meant.
  std::string_view NameIfWanted(SegmentId id) {
    if (id.value >= known_.size()) known_.resize(size_t{id.value} + 1);
    Known& known = known_[id.value];
    if (!known.looked_up) {
      std::string_view name = names_.NameOf(id);
      bool meant = wanted_.empty() || std::binary_search(wanted_.begin(), wanted_.end(), name);
      known = {true, meant ? name : std::string_view()};
    }
    return known.name;
  }

 private:
  struct Known {
    bool looked_up = false;
    std::string_view name;
  };
  const SegmentNames& names_;
  std::vector<std::string> wanted_;
  std::vector<Known> known_;  // by SegmentId
};

class WatchStreamImpl final : public WatchStream {
 public:
  WatchStreamImpl(const Log& log, ChangeFeed* feed, Filter filter, Position start, bool from_oldest)
      : log_(log), feed_(feed), filter_(std::move(filter)), position_(start), from_oldest_(from_oldest) {}

  StatusOr<Chunk> Take(size_t bytes_max) override {
    Chunk chunk;
    for (;;) {
      KORREL_ASSIGN_OR_RETURN(LogStretchRef stretch, Behind(position_));
      if (!stretch) break;
      TakeFrom(*stretch, bytes_max, &chunk);
      if (chunk.changes.size() * kChangeBytes >= bytes_max) break;
    }
    from_oldest_ = false;
    chunk.position = position_;
    return chunk;
  }

  StatusOr<Chunk> Next(int64_t deadline_ns) override {
    auto until = std::chrono::steady_clock::now() + kSilenceMax;
    if (deadline_ns != 0) until = std::min(until, Log::Deadline(std::chrono::nanoseconds(deadline_ns)));
    for (;;) {
      KORREL_ASSIGN_OR_RETURN(Chunk chunk, Take(kNextBytes));
      if (!chunk.changes.empty() || std::chrono::steady_clock::now() >= until) return chunk;
      log_.WaitBehind(position_, until);
    }
  }

  StatusOr<Backlog> LookAhead(Position after) override {
    Backlog backlog{.bytes = 0, .position = after};
    for (;;) {
      KORREL_ASSIGN_OR_RETURN(LogStretchRef stretch, Behind(backlog.position));
      if (!stretch) return backlog;
      for (const LogStretch::Change& change : stretch->changes) {
        if (change.position > backlog.position && !filter_.NameIfWanted(change.flip.segment).empty()) backlog.bytes += kChangeBytes;
      }
      backlog.position = stretch->last;
    }
  }

 private:
  // Until a position was told, "the oldest kept" is what it is when it is read: the log goes on dropping while nobody looks.
  StatusOr<LogStretchRef> Behind(Position position) {
    for (;;) {
      StatusOr<LogStretchRef> stretch = feed_->After(position);
      if (stretch.ok() || ReasonOf(stretch.status()) != "POSITION_GONE") return stretch;
      if (!from_oldest_) return Gone();
      position = position_ = log_.Dropped();
    }
  }

  // Stops behind a whole record: a position says nothing about half of one.
  void TakeFrom(const LogStretch& stretch, size_t bytes_max, Chunk* chunk) {
    auto it = std::partition_point(stretch.changes.begin(), stretch.changes.end(),
                                   [this](const LogStretch::Change& change) { return change.position <= position_; });
    for (; it != stretch.changes.end(); ++it) {
      if (it->position > position_ && chunk->changes.size() * kChangeBytes >= bytes_max) {
        position_ = Position(it->position.value - 1);
        return;
      }
      position_ = it->position;
      std::string_view name = filter_.NameIfWanted(it->flip.segment);
      if (name.empty()) continue;
      chunk->changes.push_back({name, it->profile, it->flip.entered, it->position, it->flip.time_us, it->flip.cause});
    }
    position_ = stretch.last;
  }

  const Log& log_;
  ChangeFeed* const feed_;
  Filter filter_;
  Position position_;
  bool from_oldest_;
};

Status CheckNames(const SegmentNames& names, const std::vector<std::string>& wanted) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (names.Knows(wanted[i])) continue;
    std::optional<std::string> meant = Nearest(wanted[i], names.All());
    return MakeError(absl::StatusCode::kNotFound, "DEFINITION", fmt::format("segments[{}]", i),
                     fmt::format("there is no segment '{}'{}", wanted[i], meant ? fmt::format("; did you mean '{}'?", *meant) : ""));
  }
  return absl::OkStatus();
}

Status CheckPosition(const Log& log, Position after) {
  auto lost = [&](std::string_view why) {
    return MakeError(absl::StatusCode::kOutOfRange, "POSITION_LOST", "after_positions",
                     fmt::format("position {} is none of this database: {}", after.value, why));
  };
  if (EpochOf(after) != log.Epoch() && log.Strongest() == Durability::kMemory) {
    return lost("it lives in memory, and what came before its last start is lost; begin at 0 or without a position");
  }
  if (Position last = log.Last(); after > last) return lost(fmt::format("the newest of this database is {}", last.value));
  return after < log.Dropped() ? Gone() : absl::OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<WatchStream>> OpenWatch(const Log& log, ChangeFeed* feed, const SegmentNames& names, const WatchRequest& request) {
  KORREL_RETURN_IF_ERROR(CheckNames(names, request.segments));
  bool from_oldest = request.after_position == Position();
  Position start = from_oldest ? log.Dropped() : request.after_position.value_or(log.Durable());
  if (request.after_position && !from_oldest) KORREL_RETURN_IF_ERROR(CheckPosition(log, start));
  return std::unique_ptr<WatchStream>(std::make_unique<WatchStreamImpl>(log, feed, Filter(names, request.segments), start, from_oldest));
}

StatusOr<std::unique_ptr<WatchStream>> OpenWatch(Core& core, const WatchRequest& request) {
  CatalogRef current = core.CurrentCatalog();
  for (size_t i = 0; i < request.segments.size(); ++i) {
    auto it = current->definitions.segments.find(request.segments[i]);
    if (it == current->definitions.segments.end() || !it->second.is_static) continue;
    return InvalidArgument(
        "FIELD", fmt::format("segments[{}]", i),
        fmt::format("'{0}' is static: a list that changes when somebody changes it; to watch who is on it, define a live "
                    "segment as: in segment '{0}'",
                    request.segments[i]));
  }
  return OpenWatch(*core.log, core.change_feed.get(), core.catalog->segment_names(), request);
}

}  // namespace korrel
