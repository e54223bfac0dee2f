// tests/index/live_fixture.h
//
// A shard with definitions that are kept current: every change goes the way Shard::Apply goes, and everything kept can be compared with the
// plain evaluator, which works it out from the records.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "index/live/live_state.h"
#include "tests/index/shard_fixture.h"

namespace korrel {

class LiveShard : public TestShard {
 public:
  explicit LiveShard(bool keep_postings = true) : TestShard(keep_postings), live(&table, &index) {}

  // Definitions in the order in which they use each other. Returns false, failing the test, where one does not compile.
  void DefineAttribute(const std::string& name, const std::string& text) {
    const ExpressionRef expression = CompileAt(text, ExpressionPlace::kAttributeDefinition);
    if (!expression) return;
    if (!names.schema().FindAttribute(name)) {
      Schema* schema = names.mutable_schema();
      const auto id = static_cast<uint32_t>(schema->attributes.size());
      schema->attributes.push_back({.id = AttributeId(id), .name = name, .type = expression->type(), .computed = true});
      schema->attribute_by_name[name] = id;
    }
    definitions.attributes[name] = expression;
  }
  void DefineSegment(const std::string& name, const std::string& text) {
    const ExpressionRef expression = CompileAt(text, ExpressionPlace::kLiveSegment);
    if (!expression) return;
    auto [it, is_new] = definitions.segments.try_emplace(name);
    if (is_new) it->second.id = SegmentId(next_segment++);
    it->second.expression = expression;
  }
  SegmentId DefineList(const std::string& name) {
    definitions.segments[name] = {SegmentId(next_segment), true, nullptr};
    return SegmentId(next_segment++);
  }
  // What is defined takes effect; FillAll completes it.
  void Adopt() {
    plan = LivePlan::Make(names.schema(), definitions, time_zone, live.plan().get());
    live.Adopt(plan, std::make_shared<Schema>(names.schema()));
  }
  void FillAll(uint64_t budget = 5'000) {
    while (!live.filled()) FillSome(budget);
  }
  void FillSome(uint64_t budget) {
    WorkMeter meter(budget);
    std::vector<LiveState::Step> steps;
    live.Fill(now_us, &meter, &steps);
    for (const LiveState::Step& step : steps) Note(step.row, step.flips);
  }

  // ---- Changes, each at now ----
  Row Begin() {
    const Row row = Add();
    live.Born(row, now_us);
    Settle(row);
    return row;
  }
  void Write(Row row, std::string_view attribute, const Value& value) {
    BringUp(row);
    live.WillWrite(row, names.attribute(attribute).id);
    IsPresent(value) ? Set(row, attribute, value) : Unset(row, attribute);
    Settle(row);
  }
  void Event(Row row, std::string_view type_name, int64_t time_us, const std::map<std::string, Value>& properties = {}) {
    BringUp(row);
    const EventTypeSchema& type = names.event(type_name);
    table.FreeEventsThatAreOut(row, type, now_us);
    const EventHistory* history = table.History(row, type.id);
    if (history && type.max_events && history->size() >= *type.max_events) {
      if (time_us < history->TimeOf(0)) return Settle(row);  // it would be out at once
      live.WillEvict(row, type.id, history->size() + 1 - *type.max_events);
    }
    Track(row, type_name, time_us, properties);
    live.DidAdd(row, type.id, table.History(row, type.id)->UpperBound(time_us) - 1);
    table.NoteActivity(row, time_us, now_us);
    live.DidNoteActivity(row);
    Settle(row);
  }
  void List(Row row, SegmentId list, bool member, std::optional<int64_t> expires_us = std::nullopt) {
    BringUp(row);
    live.WillChangeList(row, list);
    member ? table.AddMember(list, row, expires_us) : table.RemoveMember(list, row);
    Settle(row);
  }
  void End(Row row) {
    BringUp(row);
    LiveState::Flips flips;
    live.End(row, now_us, &flips);
    Note(row, flips);
    table.RemoveRow(row);
  }
  // Everything that is due up to now.
  uint64_t RunClock(uint64_t budget = 20'000) {
    uint64_t edges = 0;
    while (live.NextDue() <= now_us) {
      WorkMeter meter(budget);
      std::vector<LiveState::Step> steps;
      const uint64_t stepped = live.Advance(now_us, &meter, &steps);
      for (const LiveState::Step& step : steps) Note(step.row, step.flips);
      if (stepped == 0) break;
      edges += stepped;
    }
    return edges;
  }

  // ---- Kept against plain ----
  ShardView KeptView() const { return {&table, &index, &names.schema(), now_us, &live}; }
  Value ReadKept(Row row, std::string_view text) const {
    const PlanRef made = Plan::Make(Compile(text), plan.get());
    WorkMeter meter;
    Evaluator evaluator(*made, KeptView(), &meter);
    ValueVector values;
    EXPECT_EQ(evaluator.Read({&row, 1}, &values), 1u);
    return values.At(0);
  }
  std::set<uint32_t> MatchKept(std::string_view text) const {
    const PlanRef made = Plan::Make(Compile(text), plan.get());
    std::set<uint32_t> rows;
    for (uint32_t block = 0; block < table.block_count(); ++block) {
      for (uint32_t row = 0; row < kBlockRows;) {
        WorkMeter meter(3'000);
        Evaluator evaluator(*made, KeptView(), &meter);
        std::vector<uint64_t> bits(kBlockWords);
        row = evaluator.Match(block, row, bits.data(), nullptr);
        for (uint32_t i = 0; i < kBlockRows; ++i) {
          if (bits[i / 64] >> (i % 64) & 1) rows.insert(block * kBlockRows + i);
        }
      }
    }
    return rows;
  }
  std::set<uint32_t> MatchPlain(std::string_view text) const {
    std::set<uint32_t> rows;
    for (Row row : Match(text)) rows.insert(row.value);
    return rows;
  }
  // Everything kept of everybody, against the definitions.
  void CheckAll() {
    for (const auto& [name, expression] : definitions.attributes) {
      for (Row row : LiveRows()) EXPECT_EQ(ReadKept(row, '"' + name + '"'), Read(row, '"' + name + '"')) << name << ", row " << row.value;
    }
    for (const auto& [name, segment] : definitions.segments) {
      const std::string text = "in segment '" + name + "'";
      EXPECT_EQ(MatchKept(text), MatchPlain(text)) << name;
    }
  }
  // The same of what the clock has not overtaken: what was reported so far are the members.
  void CheckReported() {
    for (const auto& [name, segment] : definitions.segments) {
      if (segment.is_static) continue;
      EXPECT_EQ(reported[segment.id.value], MatchPlain("in segment '" + name + "'")) << name;
    }
    for (Row row : LiveRows()) {
      std::vector<SegmentId> want;
      for (const auto& [id, rows] : reported) {
        if (rows.contains(row.value)) want.emplace_back(id);
      }
      if (live.filled()) {
        EXPECT_EQ(live.SegmentsOf(row, now_us), want) << "row " << row.value;
      }
    }
  }

  LiveState live;
  LivePlanRef plan;
  std::map<uint32_t, std::set<uint32_t>> reported;  // members by what was reported, by segment
  std::map<uint32_t, std::vector<SegmentFlip>> flips_of;
  uint32_t next_segment = 0;

 private:
  ExpressionRef CompileAt(const std::string& text, ExpressionPlace place) {
    CompileOptions options;
    options.schema = &names.schema();
    options.definitions = &definitions;
    options.time_zone = time_zone;
    options.place = place;
    options.must_be_condition = place == ExpressionPlace::kLiveSegment;
    StatusOr<ExpressionRef> compiled = Expression::Compile(text, options);
    EXPECT_TRUE(compiled.ok()) << text << ": " << compiled.status();
    return compiled.ok() ? *compiled : nullptr;
  }
  void BringUp(Row row) {
    LiveState::Flips flips;
    live.BringUp(row, now_us, &flips);
    Note(row, flips);
  }
  void Settle(Row row) {
    LiveState::Flips flips;
    live.Settle(row, now_us, ChangeCause::kWrite, &flips);
    Note(row, flips);
  }
  void Note(Row row, const LiveState::Flips& flips) {
    for (const SegmentFlip& flip : flips) {
      std::set<uint32_t>& members = reported[flip.segment.value];
      EXPECT_NE(members.contains(row.value), flip.entered) << "segment " << flip.segment.value << ", row " << row.value << " twice";
      EXPECT_LE(flip.time_us, now_us);
      std::vector<SegmentFlip>& before = flips_of[row.value];
      if (!before.empty()) {
        EXPECT_GE(flip.time_us, before.back().time_us);
      }
      before.push_back(flip);
      if (flip.entered) {
        members.insert(row.value);
      } else {
        members.erase(row.value);
      }
    }
  }
};

}  // namespace korrel
