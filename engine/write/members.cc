// Static segments: lists of profiles, put, added to and removed from.
#include <fmt/format.h>

#include <algorithm>
#include <shared_mutex>

#include "absl/container/flat_hash_set.h"
#include "engine/question/questions.h"
#include "engine/write/write_batch.h"
#include "engine/write/writes.h"

namespace korrel {
namespace {

Status SegmentError(absl::StatusCode code, std::string_view reason, std::string_view message) {
  return MakeError(code, reason, "segment", message);
}

std::string_view BareSegment(std::string_view name) { return name.starts_with("segments/") ? name.substr(9) : name; }

StatusOr<SegmentId> FindList(const CatalogSnapshot& catalog, std::string_view segment) {
  auto it = catalog.definitions.segments.find(BareSegment(segment));
  if (it == catalog.definitions.segments.end()) {
    return SegmentError(absl::StatusCode::kNotFound, "DEFINITION", fmt::format("there is no segment '{}'", BareSegment(segment)));
  }
  if (it->second.is_static) return it->second.id;
  return SegmentError(absl::StatusCode::kInvalidArgument, "FIELD",
                      fmt::format("segment '{}' is an expression; only static segments are lists", BareSegment(segment)));
}

// One profile each; `profiles` are ids, or errors of identifiers that named nobody.
class MemberItems final : public WriteItems {
 public:
  MemberItems(std::string_view segment, std::vector<StatusOr<ProfileId>> profiles, bool is_member, std::optional<int64_t> expires_us)
      : segment_(segment), profiles_(std::move(profiles)), is_member_(is_member), expires_us_(expires_us) {}
  size_t size() const override { return profiles_.size(); }
  Status Bind(size_t index, const BindContext& context, PreparedWrite* out, Growth*) override {
    KORREL_ASSIGN_OR_RETURN(SegmentId id, FindList(*context.catalog, segment_));
    KORREL_ASSIGN_OR_RETURN(out->named, profiles_[index]);
    out->change.members.push_back({id, is_member_, is_member_ ? expires_us_ : std::nullopt});
    return absl::OkStatus();
  }
  std::string FieldPrefix(size_t index) const override { return fmt::format("profiles[{}].", index); }

 private:
  std::string_view segment_;
  std::vector<StatusOr<ProfileId>> profiles_;
  bool is_member_;
  std::optional<int64_t> expires_us_;
};

std::vector<StatusOr<ProfileId>> ResolveAll(const Core& core, const std::vector<std::string>& profiles) {
  std::vector<StatusOr<ProfileId>> ids;
  ids.reserve(profiles.size());
  for (const std::string& profile : profiles) {
    StatusOr<std::optional<ProfileId>> id = core.Resolve(profile, "");
    if (!id.ok()) {
      ids.push_back(id.status());
    } else if (!*id) {
      ids.push_back(MakeError(absl::StatusCode::kNotFound, "PROFILE", "", fmt::format("nobody is known as {}", profile)));
    } else {
      ids.push_back(**id);
    }
  }
  return ids;
}

// Calls `each` for every row of the list, expired ones too, shard by shard; under a shared lock of that shard.
template <class F>
void ForEachMember(const Core& core, SegmentId id, F each) {
  for (const auto& shard : core.shards) {
    std::shared_lock<PhaseFairLock> hold(shard->lock);
    const StaticList* list = shard->table.List(id);
    if (!list) continue;
    for (uint32_t block = 0; block < list->members.block_count(); ++block) {
      const uint64_t* words = list->members.Block(block);
      for (uint32_t w = 0; words && w < kBlockWords; ++w) {
        for (uint64_t bits = words[w]; bits; bits &= bits - 1) {
          Row row(block * kBlockRows + w * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
          each(shard->table, *list, row);
        }
      }
    }
  }
}

uint64_t MemberCount(const Core& core, SegmentId id) {
  uint64_t count = 0;
  int64_t now_us = core.clock->NowUs();
  for (const auto& shard : core.shards) {
    std::shared_lock<PhaseFairLock> hold(shard->lock);
    const StaticList* list = shard->table.List(id);
    if (!list) continue;
    count += list->members.count();
    for (const auto& [row, expires_us] : list->expires_us) count -= expires_us <= now_us;
  }
  return count;
}

// Where nobody asked for the profiles by name, one that was deleted meanwhile is simply not there.
void ForgetWhoIsGone(WriteResult* result) {
  std::erase_if(result->errors, [](const ItemError& error) { return absl::IsNotFound(error.status); });
}

// `put`: everybody on the list who is not among those put leaves it, those whose time is over too.
Status RemoveOthers(Core& core, std::string_view segment, SegmentId id, const std::vector<StatusOr<ProfileId>>& kept,
                    const WriteOptions& options) {
  absl::flat_hash_set<ProfileId> keep;
  for (const StatusOr<ProfileId>& profile : kept) {
    if (profile.ok()) keep.insert(*profile);
  }
  std::vector<StatusOr<ProfileId>> leaving;
  ForEachMember(core, id, [&](const ProfileTable& table, const StaticList&, Row row) {
    if (!keep.contains(table.IdOf(row))) leaving.push_back(table.IdOf(row));
  });
  MemberItems items(segment, std::move(leaving), false, std::nullopt);
  KORREL_ASSIGN_OR_RETURN(WriteResult result, RunBatch(core, items, options));
  ForgetWhoIsGone(&result);  // one deleted meanwhile has left as well
  return result.errors.empty() ? absl::OkStatus() : result.errors[0].status;
}

}  // namespace

StatusOr<UpdateMembersAnswer> UpdateListMembers(Core& core, const UpdateMembersRequest& request) {
  KORREL_ASSIGN_OR_RETURN(SegmentId id, FindList(*core.CurrentCatalog(), request.segment));
  if (request.selection && !request.profiles.empty()) {
    return InvalidArgument("FIELD", "profiles", "give either profiles or a selection");
  }
  if (request.expire_time_us != 0 && !InTimestampRange(request.expire_time_us)) {
    return InvalidArgument("FIELD", "expire_time_us", "a time lies in the years 0001 to 9999");
  }
  std::vector<StatusOr<ProfileId>> profiles;
  if (request.selection) {
    KORREL_ASSIGN_OR_RETURN(std::vector<ProfileId> matching, MatchingProfiles(core, *request.selection));
    profiles.assign(matching.begin(), matching.end());
  } else {
    profiles = ResolveAll(core, request.profiles);
  }
  if (request.operation == MemberOperation::kPut) {
    KORREL_RETURN_IF_ERROR(RemoveOthers(core, request.segment, id, profiles, request.write));
  }
  std::optional<int64_t> expires_us;
  if (request.expire_time_us != 0) expires_us = request.expire_time_us;
  MemberItems items(request.segment, std::move(profiles), request.operation != MemberOperation::kRemove, expires_us);
  UpdateMembersAnswer answer;
  KORREL_ASSIGN_OR_RETURN(answer.result, RunBatch(core, items, request.write));
  if (request.selection) ForgetWhoIsGone(&answer.result);
  answer.member_count = MemberCount(core, id);
  return answer;
}

}  // namespace korrel
