#include "engine/mutation.h"

#include <gtest/gtest.h>

#include <random>

namespace korrel {
namespace {

ProfileChange SampleChange() {
  ProfileChange change;
  change.profile = ProfileId(77);
  change.now_us = 1'700'000'000'000'000;
  change.creates = true;
  change.identifiers = {{IdentifierTypeId(0), "a@example.nl"}, {IdentifierTypeId(3), "+31612345678"}};
  change.event_time_us = change.now_us - 5;
  auto add = [&](Value value, AttributeOperation operation) {
    change.attributes.push_back(
        {AttributeId(static_cast<uint32_t>(change.attributes.size())), operation, std::move(value), change.now_us - 1'000, SourceId(2)});
  };
  add(true, AttributeOperation::kSet);
  add(int64_t{INT64_MIN}, AttributeOperation::kMin);
  add(Decimal{-1250, 2}, AttributeOperation::kIncrement);
  add(0.1, AttributeOperation::kMax);
  add(std::string("Zürich"), AttributeOperation::kSet);
  add(Timestamp{kTimestampMinUs}, AttributeOperation::kSet);
  add(StringSet{"a", "b"}, AttributeOperation::kAdd);
  add(Value(), AttributeOperation::kUnset);
  EventToAdd event;
  event.time_us = change.now_us + 60;
  event.message_hash = 0xfeedfacecafebeef;
  event.source = SourceId(1);
  event.properties = {{PropertyId(0), Decimal{999, 2}}, {PropertyId(4), std::string("shoes")}};
  change.events.push_back({EventTypeId(1), event});
  change.members = {{SegmentId(4), true, change.now_us + 7}, {SegmentId(5), false, std::nullopt}};
  return change;
}

CatalogMutation SampleCatalog() {
  CatalogMutation mutation;
  mutation.now_us = 12;
  mutation.attributes = {{AttributeId(0), "country", kStringType, true, false, false}, {AttributeId(1), "spend", DecimalType(2)}};
  EventTypeSchema order;
  order.id = EventTypeId(0);
  order.name = "order";
  order.properties = {{PropertyId(0), "amount", DecimalType(3), true}};
  order.retention_us = 400;
  order.max_events = 9;
  mutation.event_types = {order};
  mutation.identifier_types = {"email"};
  mutation.sources = {"api", "import"};
  mutation.time_zone = "Europe/Amsterdam";
  Definition segment;
  segment.name = "segments/churn risk";
  segment.kind = DefinitionKind::kSegment;
  segment.segment.expression = "country = 'NL'";
  Definition figure;
  figure.name = "population/p90";
  figure.kind = DefinitionKind::kPopulation;
  figure.population = {"quantile(age, 0.9)", 3'600'000'000, "for people"};
  mutation.definitions = {segment, figure};
  mutation.removed = {"attributes/old"};
  mutation.segment_ids = {{"churn risk", SegmentId(8)}};
  mutation.revision = 3;
  mutation.data = {{DataAction::Kind::kWidenColumn, 1, DecimalType(4)}, {DataAction::Kind::kDropList, 2, {}}};
  return mutation;
}

std::vector<SegmentFlip> SampleFlips() {
  return {{SegmentId(3), true, 1'000, ChangeCause::kWrite}, {SegmentId(90'000), false, -5, ChangeCause::kRetention}};
}
// The second change alone has flips.
ShardMutation SampleWithFlips() {
  ShardMutation part{{SampleChange(), SampleChange(), SampleChange()}};
  part.changes[1].flips = SampleFlips();
  return part;
}
TurnMutation SampleTurn() { return {TurnMutation::Kind::kFill, 77, {{ProfileId(4), SampleFlips()}, {ProfileId(5), {}}}}; }
PopulationMutation SamplePopulation() { return {50, {{"rich", 2.5, 49}, {"none", {}, 0}}}; }

// Mutations hold no comparison of their own; equal bytes are equal mutations because one function lists the fields of both ways.
TEST(Mutation, SurvivesItsBytes) {
  for (const Mutation& mutation : {Mutation(ShardMutation{{SampleChange(), SampleChange()}}), Mutation(SampleCatalog()),
                                   Mutation(ClockMutation{-5}), Mutation(ShardMutation{}), Mutation(SampleWithFlips()),
                                   Mutation(SampleTurn()), Mutation(FilledMutation{-7, 12}), Mutation(SamplePopulation())}) {
    std::string bytes = EncodeMutation(mutation);
    StatusOr<Mutation> again = DecodeMutation(bytes);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->index(), mutation.index());
    EXPECT_EQ(EncodeMutation(*again), bytes);
  }
}

TEST(Mutation, KeepsEveryFieldOfAChange) {
  ProfileChange before = SampleChange();
  StatusOr<Mutation> decoded = DecodeMutation(EncodeMutation(ShardMutation{{before}}));
  ASSERT_TRUE(decoded.ok());
  const ProfileChange& after = std::get<ShardMutation>(*decoded).changes.at(0);
  EXPECT_EQ(after.profile, before.profile);
  EXPECT_EQ(after.now_us, before.now_us);
  EXPECT_TRUE(after.creates);
  EXPECT_EQ(after.identifiers, before.identifiers);
  EXPECT_EQ(after.event_time_us, before.event_time_us);
  ASSERT_EQ(after.attributes.size(), before.attributes.size());
  for (size_t i = 0; i < before.attributes.size(); ++i) {
    EXPECT_EQ(after.attributes[i].operation, before.attributes[i].operation);
    EXPECT_TRUE(after.attributes[i].value == before.attributes[i].value) << i;
    EXPECT_EQ(after.attributes[i].event_time_us, before.attributes[i].event_time_us);
    EXPECT_EQ(after.attributes[i].source, before.attributes[i].source);
  }
  EXPECT_EQ(after.events.at(0).event.message_hash, before.events[0].event.message_hash);
  EXPECT_TRUE(after.events[0].event.properties == before.events[0].event.properties);
  EXPECT_EQ(after.members.at(0).expires_us, before.members[0].expires_us);
}

TEST(Mutation, FlipsStandWithTheirChange) {
  StatusOr<Mutation> decoded = DecodeMutation(EncodeMutation(SampleWithFlips()));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto& changes = std::get<ShardMutation>(*decoded).changes;
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_TRUE(changes[0].flips.empty());
  EXPECT_EQ(changes[1].flips, SampleFlips());
  EXPECT_TRUE(changes[2].flips.empty());
}

TEST(Mutation, FlipsInReadsThemAloneInOrder) {
  StatusOr<std::vector<ProfileFlips>> flips = FlipsIn(EncodeMutation(SampleWithFlips()));
  ASSERT_TRUE(flips.ok()) << flips.status();
  ASSERT_EQ(flips->size(), 1u);
  EXPECT_EQ((*flips)[0].profile, SampleChange().profile);
  EXPECT_EQ((*flips)[0].flips, SampleFlips());
  EXPECT_EQ(FlipsIn(EncodeMutation(SampleTurn()))->size(), 2u);
  EXPECT_TRUE(FlipsIn(EncodeMutation(ShardMutation{{SampleChange()}}))->empty());
  EXPECT_TRUE(FlipsIn(EncodeMutation(SampleCatalog()))->empty());
  EXPECT_FALSE(FlipsIn("").ok());
  EXPECT_FALSE(FlipsIn("\x01\x09").ok());
}

TEST(Mutation, EstimateIsNeverTooSmall) {
  const size_t begin = EncodeMutation(ShardMutation{}).size();
  EXPECT_LE(EncodeMutation(ShardMutation{{SampleChange()}}).size() - begin, EncodedBytesMax(SampleChange()));
}

TEST(Mutation, EveryPrefixOfARecordIsRefusedOrShorter) {
  for (const Mutation& mutation : {Mutation(ShardMutation{{SampleChange()}}), Mutation(SampleCatalog()), Mutation(ClockMutation{1}),
                                   Mutation(SampleTurn()), Mutation(FilledMutation{9, 300}), Mutation(SamplePopulation())}) {
    std::string bytes = EncodeMutation(mutation);
    for (size_t size = 0; size < bytes.size(); ++size) {
      StatusOr<Mutation> part = DecodeMutation(std::string_view(bytes).substr(0, size));
      // An empty shard part is a whole one: nothing happened.
      EXPECT_TRUE(!part.ok() || size == 2u) << size;
    }
    EXPECT_FALSE(DecodeMutation(bytes + "x").ok());
  }
}

// Goal: any bytes give a mutation or an error. Method: records with random bytes changed, cut in or put in.
TEST(Mutation, DecodesAnyBytesWithoutHarm) {
  uint64_t seed = 20260117;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::vector<std::string> records = {EncodeMutation(ShardMutation{{SampleChange(), SampleChange()}}), EncodeMutation(SampleCatalog()),
                                      EncodeMutation(SampleWithFlips()), EncodeMutation(SampleTurn()), EncodeMutation(SamplePopulation())};
  uint64_t readable = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = records[random() % records.size()];
    for (uint64_t change = 1 + random() % 4; change > 0; --change) {
      size_t at = random() % bytes.size();
      switch (random() % 3) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, 1 + random() % 8);
          break;
        default:
          bytes.insert(at, 1 + random() % 8, static_cast<char>(random()));
      }
      if (bytes.empty()) bytes = "x";
    }
    StatusOr<Mutation> mutation = DecodeMutation(bytes);
    if (!mutation.ok()) {
      EXPECT_EQ(ReasonOf(mutation.status()), "RECORD");
      continue;
    }
    ++readable;
    EXPECT_TRUE(DecodeMutation(EncodeMutation(*mutation)).ok());
  }
  EXPECT_GT(readable, 100u);
}

TEST(Mutation, ALyingCountTakesNoMemory) {
  std::string bytes = {1, 1, 5, 0, 0, 0};
  bytes += "\xff\xff\xff\xff\xff\xff\xff\xff\x01";  // 2^63 identifiers
  EXPECT_FALSE(DecodeMutation(bytes).ok());
}

TEST(Mutation, AnUnknownVersionIsNamed) {
  Status status = DecodeMutation(std::string{9, 1}).status();
  EXPECT_NE(MessageOf(status).find("version 9"), std::string_view::npos) << status;
}

}  // namespace
}  // namespace korrel
