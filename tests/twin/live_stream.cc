#include "tests/twin/live_stream.h"

#include "fmt/format.h"

namespace korrel::twin {
namespace {

const char* CauseName(ChangeCause cause) {
  static const char* const kNames[] = {"none",   "write", "clock",   "retention", "definition",
                                       "delete", "merge", "unmerge", "consent",   "erasure"};
  return kNames[static_cast<size_t>(cause)];
}

}  // namespace

std::string Shown(const ObservedFlip& flip) {
  return fmt::format("profile {} {} '{}' at {} ({})", flip.profile, flip.entered ? "enters" : "leaves", flip.segment,
                     FormatTimestamp({flip.time_us}), CauseName(flip.cause));
}

bool operator==(const ObservedFlip& a, const ObservedFlip& b) {
  return a.profile == b.profile && a.segment == b.segment && a.entered == b.entered && a.time_us == b.time_us && a.cause == b.cause;
}

std::vector<ObservedFlip> LiveStream::Read(std::string* problem) {
  std::vector<ObservedFlip> added;
  while (problem->empty()) {
    StatusOr<std::optional<Log::Record>> record = database_.log().ReadAfter(read_);
    if (!record.ok()) {
      *problem = fmt::format("the log: {}", MessageOf(record.status()));
      break;
    }
    if (!record->has_value()) break;
    if ((*record)->position.value <= read_.value) *problem = "positions do not grow";
    read_ = (*record)->position;
    NoteNames((*record)->bytes);
    StatusOr<std::vector<ProfileFlips>> profiles = FlipsIn((*record)->bytes);
    if (!profiles.ok()) *problem = fmt::format("a record: {}", MessageOf(profiles.status()));
    if (!problem->empty()) break;
    for (const ProfileFlips& profile : *profiles) {
      for (const SegmentFlip& flip : profile.flips) {
        auto name = names_.find(flip.segment.value);
        if (name == names_.end()) *problem = fmt::format("a flip of segment {}, which nobody defined", flip.segment.value);
        if (name == names_.end()) return added;
        added.push_back({profile.profile.value, name->second, flip.entered, flip.time_us, flip.cause, read_});
        std::string wrong = Take(added.back());
        if (problem->empty()) *problem = wrong;
      }
    }
  }
  return added;
}

void LiveStream::NoteNames(const std::string& record) {
  StatusOr<Mutation> mutation = DecodeMutation(record);
  if (!mutation.ok()) return;  // FlipsIn says what is wrong
  auto* catalog = std::get_if<CatalogMutation>(&*mutation);
  if (catalog == nullptr) return;
  for (const auto& [name, id] : catalog->segment_ids) {
    size_t slash = name.find('/');
    names_[id.value] = slash == std::string::npos ? name : name.substr(slash + 1);
  }
}

std::string LiveStream::Take(const ObservedFlip& flip) {
  std::vector<ObservedFlip>& before = by_profile_[flip.profile];
  std::string problem;
  if (!before.empty() && before.back().time_us > flip.time_us)
    problem = fmt::format("time goes back: {} follows {}", Shown(flip), Shown(before.back()));
  std::set<uint64_t>& members = members_[flip.segment];
  bool changes = flip.entered ? members.insert(flip.profile).second : members.erase(flip.profile) > 0;
  if (!changes) problem = fmt::format("twice in a row: {}", Shown(flip));
  before.push_back(flip);
  return problem;
}

}  // namespace korrel::twin
