#include "engine/write/writes.h"

#include <fmt/format.h>

#include <mutex>

#include "engine/catalog/catalog.h"
#include "engine/identity.h"
#include "engine/live/clock_driver.h"
#include "engine/mutation.h"
#include "engine/write/write_batch.h"

namespace korrel {
namespace {

class ProfileItems final : public WriteItems {
 public:
  explicit ProfileItems(std::span<const ProfileWrite> writes) : writes_(writes) {}
  size_t size() const override { return writes_.size(); }
  Status Bind(size_t index, const BindContext& context, PreparedWrite* out, Growth* growth) override {
    return BindProfileWrite(writes_[index], context, out, growth);
  }
  std::string FieldPrefix(size_t index) const override { return fmt::format("writes[{}].", index); }

 private:
  std::span<const ProfileWrite> writes_;
};

class EventItems final : public WriteItems {
 public:
  explicit EventItems(std::span<const EventWrite> events) : events_(events) {}
  size_t size() const override { return events_.size(); }
  Status Bind(size_t index, const BindContext& context, PreparedWrite* out, Growth* growth) override {
    return BindEventWrite(events_[index], context, out, growth);
  }
  std::string FieldPrefix(size_t index) const override { return fmt::format("events[{}].", index); }

 private:
  std::span<const EventWrite> events_;
};

class DeleteItem final : public WriteItems {
 public:
  explicit DeleteItem(ProfileId profile) : profile_(profile) {}
  size_t size() const override { return 1; }
  Status Bind(size_t, const BindContext&, PreparedWrite* out, Growth*) override {
    out->named = profile_;
    out->change.deletes = true;
    return absl::OkStatus();
  }
  std::string FieldPrefix(size_t) const override { return ""; }

 private:
  ProfileId profile_;
};

}  // namespace

StatusOr<WriteResult> UpsertProfiles(Core& core, std::span<const ProfileWrite> writes, const WriteOptions& options) {
  ProfileItems items(writes);
  return RunBatch(core, items, options);
}

StatusOr<WriteResult> TrackEvents(Core& core, std::span<const EventWrite> events, const WriteOptions& options) {
  EventItems items(events);
  return RunBatch(core, items, options);
}

StatusOr<WriteResult> DeleteProfile(Core& core, std::string_view profile, const WriteOptions& options) {
  KORREL_ASSIGN_OR_RETURN(std::optional<ProfileId> id, core.Resolve(profile, "profile"));
  if (!id) return MakeError(absl::StatusCode::kNotFound, "PROFILE", "profile", fmt::format("nobody is known as {}", profile));
  DeleteItem item(*id);
  KORREL_ASSIGN_OR_RETURN(WriteResult result, RunBatch(core, item, options));
  if (!result.errors.empty())
    return PrefixField(MakeError(absl::StatusCode::kNotFound, "PROFILE", "", fmt::format("nobody is known as {}", profile)), "profile");
  return result;
}

StatusOr<Database::AdvanceAnswer> AdvanceClockTo(Core& core, int64_t to_us, const Database::Wanted& wanted) {
  if (!InTimestampRange(to_us)) return InvalidArgument("FIELD", "to_us", "a time lies in the years 0001 to 9999");
  return core.clock_driver->AdvanceTo(to_us, wanted);
}

}  // namespace korrel
