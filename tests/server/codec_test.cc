// What comes from the wire is checked whole before a cell of it is used; what goes out reads back the same.

#include "server/codec/batch_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/identity.h"
#include "engine/write/prepared_write.h"
#include "server/codec/catalog_codec.h"
#include "server/codec/request_digest.h"
#include "server/codec/value_codec.h"
#include "server/codec/write_codec.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/wire.h"

namespace korrel::server {
namespace {

using testing::ElementsAre;

// What the wire lets through and what the database takes are one number.
static_assert(kItemIdentifiersMax == static_cast<int>(kIdentifiersPerWriteMax));
static_assert(kItemAttributesMax == static_cast<int>(kAttributesPerWriteMax));
static_assert(kItemAttributesMax == static_cast<int>(kPropertiesMax));
static_assert(kMessageIdBytesMax == korrel::kMessageIdBytesMax);

v1::Field* AddField(v1::Batch* batch, const char* name, v1::ValueType type, uint32_t scale = 0) {
  v1::Field* field = batch->mutable_schema()->add_fields();
  field->set_name(name);
  field->set_type(type);
  field->set_scale(scale);
  return field;
}

// Two rows: an int column and a string column.
v1::Batch TwoColumns() {
  v1::Batch batch;
  batch.set_size(2);
  AddField(&batch, "age", v1::VALUE_TYPE_INT);
  AddField(&batch, "name", v1::VALUE_TYPE_STRING);
  v1::Vector* ints = batch.add_vectors();
  ints->add_ints(7);
  ints->add_ints(-1);
  v1::Vector* texts = batch.add_vectors();
  texts->set_text("adabob");
  texts->add_text_ends(3);
  texts->add_text_ends(6);
  return batch;
}

StatusOr<BatchReader> Read(const v1::Batch& batch) {
  DecodeBudget budget = DecodeBudget::OfOneRequest();
  return BatchReader::Make(batch, &budget, "batch");
}

std::string FieldOfRead(const v1::Batch& batch) {
  auto reader = Read(batch);
  return reader.ok() ? "no error" : FieldOf(reader.status());
}

TEST(BatchReader, ReadsEveryTypeAndAbsentValues) {
  v1::Batch batch = TwoColumns();
  AddField(&batch, "ok", v1::VALUE_TYPE_BOOL);
  AddField(&batch, "price", v1::VALUE_TYPE_DECIMAL, 2);
  AddField(&batch, "score", v1::VALUE_TYPE_DOUBLE);
  AddField(&batch, "seen", v1::VALUE_TYPE_TIMESTAMP);
  AddField(&batch, "tags", v1::VALUE_TYPE_SET);
  for (int64_t first : {1, 1250}) {
    v1::Vector* vector = batch.add_vectors();
    vector->add_ints(first);
    vector->add_ints(0);
  }
  v1::Vector* doubles = batch.add_vectors();
  doubles->add_doubles(0.5);
  doubles->add_doubles(0);
  doubles->set_present(std::string(1, '\x01'));
  v1::Vector* times = batch.add_vectors();
  times->add_ints(5);
  times->add_ints(0);
  v1::Vector* sets = batch.add_vectors();
  sets->set_text("ba");
  sets->add_text_ends(1);
  sets->add_text_ends(2);
  sets->add_codes(0);
  sets->add_codes(1);
  sets->add_codes(0);
  sets->add_set_ends(3);
  sets->add_set_ends(3);

  auto reader = Read(batch);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->At(0, 1), Value(int64_t{-1}));
  EXPECT_EQ(reader->At(1, 1), Value(std::string("bob")));
  EXPECT_EQ(reader->At(2, 0), Value(true));
  EXPECT_EQ(reader->At(3, 0), Value(Decimal{1250, 2}));
  EXPECT_EQ(reader->At(4, 0), Value(0.5));
  EXPECT_FALSE(IsPresent(reader->At(4, 1)));
  EXPECT_EQ(reader->At(5, 0), Value(Timestamp{5}));
  EXPECT_EQ(reader->At(6, 0), Value(StringSet{"a", "b"}));
  EXPECT_EQ(reader->At(6, 1), Value(StringSet{}));
}

TEST(BatchReader, RefusesColumnsThatDoNotFitAndNamesThem) {
  v1::Batch batch = TwoColumns();
  batch.mutable_vectors(0)->mutable_ints()->RemoveLast();
  EXPECT_EQ(FieldOfRead(batch), "batch.vectors[0].ints");

  batch = TwoColumns();
  batch.mutable_vectors(1)->set_text_ends(0, 9);
  EXPECT_EQ(FieldOfRead(batch), "batch.vectors[1].text_ends");

  batch = TwoColumns();
  batch.mutable_vectors(1)->set_text_ends(1, 5);  // a byte of text that belongs to nobody
  EXPECT_EQ(FieldOfRead(batch), "batch.vectors[1].text_ends");

  batch = TwoColumns();
  batch.mutable_vectors(1)->add_codes(0);
  batch.mutable_vectors(1)->add_codes(2);
  EXPECT_EQ(FieldOfRead(batch), "batch.vectors[1].codes[1]");

  batch = TwoColumns();
  batch.mutable_vectors(0)->set_present("ab");
  EXPECT_EQ(FieldOfRead(batch), "batch.vectors[0].present");

  batch = TwoColumns();
  batch.mutable_schema()->mutable_fields()->RemoveLast();
  EXPECT_EQ(FieldOfRead(batch), "batch.vectors");

  batch = TwoColumns();
  batch.mutable_schema()->mutable_fields(0)->set_type(static_cast<v1::ValueType>(99));
  EXPECT_EQ(FieldOfRead(batch), "batch.schema.fields[0].type");

  batch = TwoColumns();
  batch.mutable_schema()->mutable_fields(0)->set_type(v1::VALUE_TYPE_BOOL);
  EXPECT_EQ(FieldOfRead(batch), "batch.vectors[0].ints[0]");

  batch = TwoColumns();
  batch.mutable_schema()->mutable_fields(1)->set_type(v1::VALUE_TYPE_SET);
  EXPECT_EQ(FieldOfRead(batch), "batch.vectors[1].set_ends");
}

TEST(BatchReader, RefusesASizeThatNoDataStandsBehind) {
  v1::Batch batch;
  batch.set_size(4'000'000'000u);
  auto reader = Read(batch);
  EXPECT_EQ(reader.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(reader.status()), "BATCH_ITEMS");
}

TEST(BatchReader, BoundsWhatADictionaryExpandsTo) {
  v1::Batch batch;
  batch.set_size(1'000);
  AddField(&batch, "text", v1::VALUE_TYPE_STRING);
  v1::Vector* vector = batch.add_vectors();
  vector->set_text(std::string(60'000, 'x'));
  vector->add_text_ends(60'000);
  for (int i = 0; i < 1'000; ++i) vector->add_codes(0);  // 60 MB from 61 kB
  EXPECT_EQ(ReasonOf(Read(batch).status()), "BATCH_TEXT_BYTES");
}

TEST(BatchReader, BoundsCellsOverAllBatchesOfARequest) {
  v1::Batch batch;
  batch.set_size(50'000);
  for (int column = 0; column < 21; ++column) {
    AddField(&batch, "flag", v1::VALUE_TYPE_BOOL);
    v1::Vector* vector = batch.add_vectors();
    vector->mutable_ints()->Resize(50'000, 0);
  }
  EXPECT_EQ(ReasonOf(Read(batch).status()), "BATCH_CELLS");
}

// Columns of an answer, with what they point into.
struct Columns {
  ResultBatch batch;
  void AddText(const char* name, const std::vector<const char*>& values) {
    ValueVector column{.type = kStringType};
    for (const char* value : values) {
      column.present.push_back(value != nullptr);
      column.texts.push_back(value ? value : "");
    }
    Add(name, std::move(column), values.size());
  }
  void Add(const char* name, ValueVector column, size_t size) {
    batch.fields.push_back({name, column.type});
    batch.columns.push_back(std::move(column));
    batch.size = size;
  }
};

TEST(EncodeBatch, ReadsBackTheSameWithAbsentValues) {
  Columns columns;
  columns.AddText("name", {"ada", nullptr, "bob"});
  columns.Add("age", {.type = kIntType, .present = {1, 1, 0}, .ints = {3, -4, 99}}, 3);
  columns.Add("tags", {.type = kSetType, .present = {1, 0, 1}, .sets = {{"x", "y"}, {"never"}, {}}}, 3);
  columns.Add("score", {.type = kDoubleType, .present = {0, 1, 1}, .doubles = {7, 0.25, -1}}, 3);
  v1::Batch wire;
  EncodeBatch(columns.batch, &wire);
  EncodeSchema(columns.batch.fields, 5, wire.mutable_schema());
  EXPECT_EQ(wire.vectors(1).ints(2), 0) << "an absent value keeps a zero slot";
  EXPECT_EQ(wire.vectors(3).doubles(0), 0);

  auto reader = Read(wire);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->At(0, 2), Value(std::string("bob")));
  EXPECT_FALSE(IsPresent(reader->At(0, 1)));
  EXPECT_EQ(reader->At(1, 1), Value(int64_t{-4}));
  EXPECT_FALSE(IsPresent(reader->At(1, 2)));
  EXPECT_EQ(reader->At(2, 0), Value(StringSet{"x", "y"}));
  EXPECT_FALSE(IsPresent(reader->At(2, 1)));
  EXPECT_EQ(reader->At(2, 2), Value(StringSet{}));
  EXPECT_EQ(reader->At(3, 1), Value(0.25));
}

TEST(EncodeBatch, UsesADictionaryUpToAQuarterOfDistinctStrings) {
  std::vector<const char*> few, many;
  const char* names[] = {"a", "b", "c", "d", "e", "f"};
  for (int i = 0; i < 20; ++i) {
    few.push_back(i == 3 ? nullptr : names[i % 4]);
    many.push_back(names[i % 6]);
  }
  Columns columns;
  columns.AddText("few", few);
  columns.AddText("many", many);
  v1::Batch wire;
  EncodeBatch(columns.batch, &wire);
  EncodeSchema(columns.batch.fields, 0, wire.mutable_schema());
  EXPECT_EQ(wire.vectors(0).codes_size(), 20);
  EXPECT_EQ(wire.vectors(0).text(), "abcd");
  EXPECT_EQ(wire.vectors(1).codes_size(), 0);
  auto reader = Read(wire);
  ASSERT_TRUE(reader.ok()) << reader.status();
  for (uint32_t row = 0; row < 20; ++row) {
    if (row == 3) {
      EXPECT_FALSE(IsPresent(reader->At(0, row)));
    } else {
      EXPECT_EQ(reader->At(0, row), Value(std::string(few[row])));
    }
    EXPECT_EQ(reader->At(1, row), Value(std::string(many[row])));
  }
}

TEST(EncodeValues, KeepsASlotForEveryField) {
  Columns columns;
  columns.AddText("a", {nullptr});
  columns.Add("i", {.type = kIntType, .present = {1}, .ints = {5}}, 1);
  columns.Add("s", {.type = kSetType, .present = {1}, .sets = {{"p", "q"}}}, 1);
  columns.AddText("b", {"z"});
  v1::Values values;
  EncodeValues(columns.batch, &values);
  EXPECT_EQ(values.present(), std::string(1, '\x0E'));
  EXPECT_EQ(values.text(), "pqz");
  EXPECT_THAT(values.text_ends(), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(values.set_ends(), ElementsAre(3));
  EXPECT_THAT(values.ints(), ElementsAre(5));
}

TEST(EncodeIdentifiers, GivesOneTextPerRowAndRepeatsATypeHeldTwice) {
  ResultBatch batch;
  batch.size = 2;
  batch.identifiers = {{"email:a@x", "email:b@x", "crm:1"}, {"email:c@x"}};
  google::protobuf::RepeatedPtrField<v1::Identifiers> wire;
  EncodeIdentifiers(batch, &wire);
  ASSERT_EQ(wire.size(), 3);
  EXPECT_EQ(wire[0].type(), "crm");
  EXPECT_THAT(wire[0].text_ends(), ElementsAre(1, 1));
  EXPECT_EQ(wire[1].type(), "email");
  EXPECT_EQ(wire[1].text(), "a@xc@x");
  EXPECT_EQ(wire[2].type(), "email");
  EXPECT_THAT(wire[2].text_ends(), ElementsAre(3, 3));
}

TEST(DecodeUpsert, RefusesOneItemAndKeepsTheOthers) {
  v1::UpsertProfilesRequest request;
  for (int i = 0; i < 3; ++i) {
    v1::ProfileWrite* write = request.add_writes();
    write->add_identifiers("crm:1");
    v1::AttributeWrite* attribute = write->add_attributes();
    attribute->set_name("age");
    attribute->mutable_value()->set_int_value(i);
  }
  request.mutable_writes(1)->mutable_attributes(0)->set_operation(static_cast<v1::AttributeOperation>(42));
  auto decoded = DecodeUpsert(request);
  ASSERT_TRUE(decoded.ok());
  EXPECT_THAT(decoded->index_of, ElementsAre(0, 2));
  ASSERT_EQ(decoded->refused.size(), 1u);
  EXPECT_EQ(decoded->refused[0].index, 1u);
  EXPECT_EQ(FieldOf(decoded->refused[0].status), "writes[1].attributes[0].operation");
}

TEST(DecodeUpsert, RowsOfABatchFollowTheSingleWrites) {
  v1::UpsertProfilesRequest request;
  request.add_writes()->add_identifiers("crm:0");
  *request.mutable_batch()->mutable_values() = TwoColumns();
  v1::Identifiers* identifiers = request.mutable_batch()->mutable_identifiers();
  identifiers->set_type("crm");
  identifiers->set_text("12");
  identifiers->add_text_ends(1);
  identifiers->add_text_ends(2);
  auto decoded = DecodeUpsert(request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_EQ(decoded->items.size(), 3u);
  EXPECT_EQ(decoded->items[2].identifiers[0], "crm:2");
  EXPECT_EQ(decoded->items[2].attributes[1].value, Value(std::string("bob")));
  EXPECT_EQ(PlacesOf(request).PathOf(0), "writes[0]");
  EXPECT_EQ(PlacesOf(request).PathOf(2), "batch.row[1]");

  identifiers->set_text_ends(0, 0);  // row 0 without an identifier
  decoded = DecodeUpsert(request);
  ASSERT_EQ(decoded->refused.size(), 1u);
  EXPECT_EQ(FieldOf(decoded->refused[0].status), "batch.row[0].identifiers");

  identifiers->mutable_text_ends()->RemoveLast();
  EXPECT_EQ(FieldOf(DecodeUpsert(request).status()), "batch.identifiers.text_ends");
}

TEST(MergeResult, PutsIndexesAndPathsBackIntoTheRequest) {
  WriteResult result;
  result.duplicate_indexes = {0};
  result.errors.push_back({1, InvalidArgument("TYPE_CLASH", "writes[1].attributes[0].value", "no")});
  ItemPlaces places{.name = "writes", .single_count = 3, .batches = {{"batch", 3}}};
  result = MergeResult(std::move(result), {1, 4}, {{2, InvalidArgument("FIELD", "writes[2].identifiers", "none")}}, places);
  EXPECT_THAT(result.duplicate_indexes, ElementsAre(1));
  ASSERT_EQ(result.errors.size(), 2u);
  EXPECT_EQ(result.errors[0].index, 2u);
  EXPECT_EQ(result.errors[1].index, 4u);
  EXPECT_EQ(FieldOf(result.errors[1].status), "batch.row[1].attributes[0].value");
  EXPECT_EQ(ReasonOf(result.errors[1].status), "TYPE_CLASH");
}

TEST(DecodeEvents, RefusesRecordsThatCanBeCorrected) {
  v1::TrackRequest request;
  v1::Event* event = request.add_events();
  event->add_identifiers("crm:1");
  event->set_key("k");
  auto decoded = DecodeEvents(request.events(), request.batches());
  ASSERT_EQ(decoded->refused.size(), 1u);
  EXPECT_EQ(ReasonOf(decoded->refused[0].status), "NOT_YET");
}

TEST(DecodeDefinition, WantsTheNameOfItsKind) {
  v1::Definition wire;
  wire.set_name("segments/x");
  wire.mutable_attribute();
  EXPECT_EQ(FieldOf(DecodeDefinition(wire, "definitions[0]").status()), "definitions[0].name");
  wire.clear_kind();
  EXPECT_EQ(FieldOf(DecodeDefinition(wire, "definitions[0]").status()), "definitions[0]");
}

TEST(DecodeDefinition, AFigureComesBackAsItWas) {
  v1::Definition wire;
  wire.set_name("population/rich");
  wire.mutable_population()->set_expression("quantile(spend, 0.9)");
  wire.mutable_population()->set_every_us(3'600'000'000);
  wire.mutable_population()->set_description("for people");
  auto definition = DecodeDefinition(wire, "definitions[0]");
  ASSERT_TRUE(definition.ok()) << definition.status();
  EXPECT_EQ(definition->kind, DefinitionKind::kPopulation);
  EXPECT_EQ(definition->population.every_us, int64_t{3'600'000'000});
  v1::Definition again;
  EncodeDefinition(*definition, &again);
  EXPECT_EQ(again.name(), "population/rich");
  EXPECT_EQ(again.population().SerializeAsString(), wire.population().SerializeAsString());
  wire.set_name("segments/rich");
  EXPECT_EQ(FieldOf(DecodeDefinition(wire, "definitions[0]").status()), "definitions[0].name");
}

TEST(DigestWithout, SeesEverythingButTheFieldsLeftOut) {
  v1::DeleteProfileRequest a, b;
  a.set_profile("crm:1");
  a.set_request_id("one");
  b.set_profile("crm:1");
  b.set_request_id("two");
  const int id = v1::DeleteProfileRequest::kRequestIdFieldNumber;
  EXPECT_EQ(DigestWithout(a, {id}), DigestWithout(b, {id}));
  EXPECT_EQ(DigestWithout(a, {id}).size(), 16u);
  b.set_profile("crm:2");
  EXPECT_NE(DigestWithout(a, {id}), DigestWithout(b, {id}));
  EXPECT_NE(DigestWithout(a, {id}), DigestWithout(a, {id}, "more"));
}

TEST(ParseRequest, NamesTheStringThatIsNotUtf8) {
  v1::UpsertProfilesRequest request;
  request.add_writes()->add_identifiers("crm:1");
  request.add_writes()->add_attributes()->set_name("XX");
  std::string bytes = request.SerializeAsString();
  bytes[bytes.find("XX")] = '\xFF';
  v1::UpsertProfilesRequest parsed;
  Status status = ParseRequest(bytes, &parsed);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(status), "writes[1].attributes[0].name");
  EXPECT_EQ(ParseRequest(std::string_view("\x0a\xff\xff\xff", 4), &parsed).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ToRpcStatus, CutsLongTextBetweenCharacters) {
  std::string message = std::string(1'023, 'a') + "é and more";
  google::rpc::Status rpc = ToRpcStatus(InvalidArgument("FIELD", "x", message));
  EXPECT_EQ(rpc.message(), std::string(1'023, 'a') + "…");
  EXPECT_LT(rpc.ByteSizeLong(), 8u * 1'024);
}

}  // namespace
}  // namespace korrel::server
