#include "tests/twin/side_by_side.h"

#include <gtest/gtest.h>

#include <set>

#include "fmt/format.h"
#include "tests/twin/expression_check.h"

namespace korrel::twin {
namespace {

WriteOptions Options(const std::string& request_id) {
  WriteOptions options;
  options.source = "test";
  options.request_id = request_id;
  options.request_digest = "digest of " + request_id;
  return options;
}

std::string DifferenceBetween(const WriteResult& first, const WriteResult& again) {
  bool same = first.position == again.position && first.applied_count == again.applied_count &&
              first.duplicate_indexes == again.duplicate_indexes && first.errors.size() == again.errors.size();
  return same ? "" : "a repeated request id got another answer";
}

template <class Items, class Call>
void ExpectOutcomes(std::vector<Side>& sides, const std::vector<ItemOutcome>& expected, const Items& items, const std::string& request_id,
                    Call call) {
  for (Side& side : sides) {
    SCOPED_TRACE(LayoutName(side.layout));
    StatusOr<WriteResult> result = call(*side.database, items, Options(request_id));
    EXPECT_EQ(DifferenceOf(expected, result), "");
    if (request_id.empty() || !result.ok()) continue;
    StatusOr<WriteResult> again = call(*side.database, items, Options(request_id));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(DifferenceBetween(*result, *again), "");
    WriteOptions other = Options(request_id);
    other.request_digest = "other bytes";
    EXPECT_EQ(ReasonOf(call(*side.database, items, other).status()), "REQUEST_ID_REUSED");
  }
}

}  // namespace

SideBySide::SideBySide(const std::vector<Layout>& layouts, ClockMode mode, int64_t now_us)
    : twin_({mode, now_us, kMaxStepDefaultUs, layouts[0].events_hard_max}), mode_(mode) {
  RandomWorld::Declare(&twin_);
  for (const Layout& layout : layouts) {
    Side side;
    side.layout = layout;
    side.database = OpenDatabase(layout, mode, now_us, &side.clock);
    DeclareIn(side.database.get());
    sides_.push_back(std::move(side));
  }
}

void SideBySide::Upsert(const std::vector<ProfileWrite>& writes, const std::string& request_id, const Each& each) {
  std::vector<ItemOutcome> expected;
  for (const ProfileWrite& write : writes) {
    expected.push_back(twin_.Upsert(write, "test"));
    if (each) each(expected.size() - 1);
  }
  ExpectOutcomes(sides_, expected, writes, request_id,
                 [](Database& database, const auto& items, const WriteOptions& options) { return database.Upsert(items, options); });
}

void SideBySide::Track(const std::vector<EventWrite>& events, const std::string& request_id, const Each& each) {
  std::vector<ItemOutcome> expected;
  int64_t arrival_us = twin_.now_us();  // an event without a time has that of the request, not of the items before it
  for (EventWrite event : events) {
    if (event.event_time_us == 0) event.event_time_us = arrival_us;
    expected.push_back(twin_.Track(event, "test"));
    if (each) each(expected.size() - 1);
  }
  ExpectOutcomes(sides_, expected, events, request_id,
                 [](Database& database, const auto& items, const WriteOptions& options) { return database.Track(items, options); });
}

void SideBySide::Delete(const std::string& identifier) {
  bool known = twin_.Delete(identifier);
  for (Side& side : sides_) {
    StatusOr<WriteResult> result = side.database->Delete(identifier, Options(""));
    EXPECT_EQ(result.ok(), known) << identifier << " " << result.status();
    if (!known) {
      EXPECT_EQ(ReasonOf(result.status()), "PROFILE");
    }
  }
}

void SideBySide::AdvanceTo(int64_t to_us) {
  bool forwards = twin_.AdvanceClock(to_us);
  for (Side& side : sides_) {
    Status status = mode_ == ClockMode::kReplay ? side.database->AdvanceClock(to_us, "").status() : side.clock->AdvanceTo(to_us);
    EXPECT_EQ(status.ok(), forwards) << status;
    if (!forwards) {
      EXPECT_EQ(ReasonOf(status), "CLOCK_BACKWARDS");
    }
  }
}

void SideBySide::UpdateMembers(const UpdateMembersRequest& request) {
  std::vector<uint64_t> ids;
  std::vector<uint32_t> unknown;
  for (uint32_t i = 0; i < request.profiles.size(); ++i) {
    std::optional<uint64_t> id = twin_.Find(request.profiles[i]);
    if (id.has_value()) ids.push_back(*id);
    if (!id.has_value()) unknown.push_back(i);
  }
  if (request.selection.has_value()) {
    StatusOr<ExpressionRef> expression = twin_.Compile(request.selection->expression);
    ASSERT_TRUE(expression.ok()) << expression.status();
    for (uint64_t id : MatchesInTwin(twin_, **expression)) ids.push_back(id);
  }
  if (request.operation == MemberOperation::kPut) twin_.ClearMembers(request.segment);
  for (uint64_t id : ids) {
    if (request.operation == MemberOperation::kRemove) {
      twin_.RemoveMember(request.segment, id);
    } else {
      twin_.AddMember(request.segment, id, request.expire_time_us == 0 ? std::nullopt : std::optional(request.expire_time_us));
    }
  }
  uint64_t members = 0;
  for (const auto& [id, profile] : twin_.profiles()) members += twin_.IsMember(request.segment, id) ? 1 : 0;
  for (Side& side : sides_) {
    SCOPED_TRACE(LayoutName(side.layout));
    StatusOr<UpdateMembersAnswer> answer = side.database->UpdateMembers(request);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->member_count, members);
    std::vector<uint32_t> refused;
    for (const ItemError& error : answer->result.errors) {
      refused.push_back(error.index);
      EXPECT_EQ(ReasonOf(error.status), "PROFILE");
    }
    EXPECT_EQ(refused, unknown);
  }
}

void SideBySide::Define(const Definition& definition) {
  std::string name = definition.name.substr(definition.name.find('/') + 1);
  auto given = [](auto number) { return number == 0 ? std::nullopt : std::optional(number); };
  switch (definition.kind) {
    case DefinitionKind::kEvent:
      twin_.DeclareEvent(name, definition.event.properties, given(definition.event.retention_us), given(definition.event.max_events));
      break;
    case DefinitionKind::kSegment:
      twin_.DefineSegment(name, definition.segment.expression);
      break;
    case DefinitionKind::kAttribute:
      twin_.DefineAttribute(name, definition.attribute.expression);
      break;
    case DefinitionKind::kPopulation:
      FAIL() << "the twin publishes no figures: " << definition.name;
  }
  ApplyRequest request;
  request.definitions = {definition};
  for (Side& side : sides_) {
    StatusOr<ApplyAnswer> answer = side.database->ApplyDefinitions(request);
    ASSERT_TRUE(answer.ok()) << LayoutName(side.layout) << ": " << definition.name << ": " << answer.status();
    for (const DefinitionChange& change : answer->changes) EXPECT_TRUE(change.error.ok()) << change.name << ": " << change.error;
  }
}

bool SideBySide::TryDefine(const Definition& definition, std::string* reason) {
  ApplyRequest request;
  request.definitions = {definition};
  request.validate_only = true;
  std::set<std::string> reasons;
  for (Side& side : sides_) {
    StatusOr<ApplyAnswer> answer = side.database->ApplyDefinitions(request);
    Status refusal = answer.status();
    for (const DefinitionChange& change : answer.ok() ? answer->changes : std::vector<DefinitionChange>()) refusal.Update(change.error);
    reasons.insert(refusal.ok() ? "" : std::string(ReasonOf(refusal)));
  }
  EXPECT_EQ(reasons.size(), 1u) << definition.name << " is refused here and accepted there";
  *reason = *reasons.begin();
  if (!reason->empty() || reasons.size() != 1) return false;
  Define(definition);
  return true;
}

bool SideBySide::TryDrop(const std::string& name) {
  std::set<bool> done;
  for (Side& side : sides_) {
    StatusOr<ApplyAnswer> answer = side.database->DeleteDefinition(name, false, 0, "");
    if (!answer.ok()) {
      EXPECT_EQ(answer.status().code(), absl::StatusCode::kFailedPrecondition) << name << ": " << answer.status();
    }
    done.insert(answer.ok());
  }
  EXPECT_EQ(done.size(), 1u) << name << " is dropped here and kept there";
  if (!*done.begin()) return false;
  std::string bare = name.substr(name.find('/') + 1);
  name.rfind("segments/", 0) == 0 ? twin_.DropSegment(bare) : twin_.DropAttribute(bare);
  return true;
}

}  // namespace korrel::twin
