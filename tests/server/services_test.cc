// Every service over a real port: what goes in comes out, and what is wrong is refused with its place.

#include <gmock/gmock.h>

#include "tests/server/test_server.h"

namespace korrel::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Profiles = v1::ProfileService::Stub;
using Events = v1::EventService::Stub;
using Catalog = v1::CatalogService::Stub;
using Segments = v1::SegmentService::Stub;
using Admin = v1::AdminService::Stub;

class ProfileServiceTest : public ServerTest {
 protected:
  grpc::Status Upsert(const v1::UpsertProfilesRequest& request, v1::WriteResult* result) {
    v1::UpsertProfilesResponse response;
    grpc::Status status = Call(*profiles_, &Profiles::UpsertProfiles, request, &response);
    *result = response.result();
    return status;
  }
  grpc::Status Get(const v1::GetProfileRequest& request) { return Call(*profiles_, &Profiles::GetProfile, request, &got_); }
  v1::GetProfileResponse got_;
};

TEST_F(ProfileServiceTest, EveryTypeOfValueComesBackAsItWasWritten) {
  v1::UpsertProfilesRequest request;
  v1::ProfileWrite* write = request.add_writes();
  write->add_identifiers("email:ada@example.com");
  write->add_identifiers("crm:1");
  auto add = [&](const char* name) {
    v1::AttributeWrite* attribute = write->add_attributes();
    attribute->set_name(name);
    return attribute->mutable_value();
  };
  add("a_bool")->set_bool_value(false);
  add("b_int")->set_int_value(INT64_MIN);
  add("c_decimal")->mutable_decimal_value()->set_unscaled(-1250);
  write->mutable_attributes(2)->mutable_value()->mutable_decimal_value()->set_scale(2);
  add("d_double")->set_double_value(-0.0);
  add("e_string")->set_string_value("Zoë");
  add("f_timestamp")->set_timestamp_us(0);
  v1::StringSet* set = add("g_set")->mutable_set_value();
  set->add_items("b");
  set->add_items("a");
  set->add_items("b");
  request.set_source("test");
  v1::WriteResult result;
  ASSERT_TRUE(Upsert(request, &result).ok());
  EXPECT_EQ(result.applied_count(), 1u);
  EXPECT_EQ(result.durability(), v1::DURABILITY_MEMORY);

  v1::GetProfileRequest get;
  get.set_profile("crm:1");
  *get.mutable_min_positions() = result.positions();
  ASSERT_TRUE(Get(get).ok());
  const v1::Profile& profile = got_.profile();
  EXPECT_THAT(profile.identifiers(), ElementsAre("email:ada@example.com", "crm:1"));
  ASSERT_EQ(profile.attributes_size(), 7);
  EXPECT_EQ(profile.attributes(0).value().kind_case(), v1::Value::kBoolValue);
  EXPECT_EQ(profile.attributes(1).value().int_value(), INT64_MIN);
  EXPECT_EQ(profile.attributes(2).value().decimal_value().unscaled(), -1250);
  EXPECT_EQ(profile.attributes(2).value().decimal_value().scale(), 2u);
  EXPECT_FALSE(std::signbit(profile.attributes(3).value().double_value()));
  EXPECT_EQ(profile.attributes(4).value().string_value(), "Zoë");
  EXPECT_EQ(profile.attributes(5).value().kind_case(), v1::Value::kTimestampUs);
  EXPECT_THAT(profile.attributes(6).value().set_value().items(), ElementsAre("a", "b"));
  EXPECT_EQ(profile.attributes(6).source(), "test");
  EXPECT_EQ(got_.now_us(), kNow);
}

TEST_F(ProfileServiceTest, ABatchInColumnsIsTheSameAsSingleWrites) {
  v1::UpsertProfilesRequest request;
  *request.add_writes() = Write("n:0", "i", 0);
  v1::ProfileBatch* batch = request.mutable_batch();
  batch->mutable_identifiers()->set_type("n");
  batch->mutable_identifiers()->set_text("12");
  batch->mutable_identifiers()->add_text_ends(1);
  batch->mutable_identifiers()->add_text_ends(2);
  batch->mutable_values()->set_size(2);
  v1::Field* field = batch->mutable_values()->mutable_schema()->add_fields();
  field->set_name("i");
  field->set_type(v1::VALUE_TYPE_INT);
  v1::Vector* column = batch->mutable_values()->add_vectors();
  column->add_ints(1);
  column->add_ints(2);
  v1::WriteResult result;
  ASSERT_TRUE(Upsert(request, &result).ok());
  EXPECT_EQ(result.applied_count(), 3u);
  v1::CountRequest count;
  count.mutable_selection()->set_expression("i between 0 and 2");
  v1::CountResponse counted;
  ASSERT_TRUE(Call(*segments_, &Segments::Count, count, &counted).ok());
  EXPECT_EQ(counted.count(), 3u);
}

TEST_F(ProfileServiceTest, OneBadItemNeverSpoilsTheOthers) {
  v1::UpsertProfilesRequest request;
  *request.add_writes() = Write("n:1", "i", 1);
  *request.add_writes() = Write("nocolon", "i", 1);
  *request.add_writes() = Write("n:3", "d", 1);
  request.mutable_writes(2)->mutable_attributes(0)->mutable_value()->set_double_value(std::nan(""));
  *request.add_writes() = Write("n:4", "i", 4);
  request.mutable_writes(3)->mutable_attributes(0)->mutable_value()->set_string_value("four");  // `i` is an int by now
  v1::WriteResult result;
  ASSERT_TRUE(Upsert(request, &result).ok());
  EXPECT_EQ(result.applied_count(), 1u);
  ASSERT_EQ(result.errors_size(), 3);
  EXPECT_EQ(result.errors(0).index(), 1u);
  EXPECT_THAT(result.errors(0).field(), HasSubstr("writes[1].identifiers[0]"));
  EXPECT_EQ(result.errors(1).field(), "writes[2].attributes[0].value");
  EXPECT_EQ(result.errors(1).code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_EQ(result.errors(2).reason(), "TYPE_CLASH");
  EXPECT_EQ(result.errors(2).field(), "writes[3].attributes[0].value");
}

TEST_F(ProfileServiceTest, RepeatingARequestIdGivesTheFirstAnswerAgain) {
  v1::UpsertProfilesRequest request;
  *request.add_writes() = Write("n:1", "visits", 1);
  request.mutable_writes(0)->mutable_attributes(0)->set_operation(v1::ATTRIBUTE_OPERATION_INCREMENT);
  request.set_request_id("import-1");
  v1::WriteResult first, again;
  ASSERT_TRUE(Upsert(request, &first).ok());
  ASSERT_TRUE(Upsert(request, &again).ok());
  EXPECT_EQ(first.SerializeAsString(), again.SerializeAsString());
  v1::GetProfileRequest get;
  get.set_profile("n:1");
  ASSERT_TRUE(Get(get).ok());
  EXPECT_EQ(got_.profile().attributes(0).value().int_value(), 1);

  request.mutable_writes(0)->mutable_attributes(0)->mutable_value()->set_int_value(2);
  grpc::Status status = Upsert(request, &again);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(ReasonOf(status), "REQUEST_ID_REUSED");

  request.set_request_id(std::string(65, 'x'));
  status = Upsert(request, &again);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(status), "REQUEST_ID_BYTES");
}

TEST_F(ProfileServiceTest, APreparedProjectionAnswersValuesWithoutNames) {
  Fill(3);
  v1::PrepareProjectionRequest prepare;
  prepare.add_select("i");
  prepare.add_select("i * 2 + 1");
  v1::PrepareProjectionResponse prepared;
  ASSERT_TRUE(Call(*profiles_, &Profiles::PrepareProjection, prepare, &prepared).ok());
  EXPECT_EQ(prepared.projection().size(), 16u);
  ASSERT_EQ(prepared.schema().fields_size(), 2);
  EXPECT_EQ(prepared.schema().fields(0).type(), v1::VALUE_TYPE_INT);

  v1::GetProfileRequest get;
  get.set_profile("n:2");
  get.set_projection(prepared.projection());
  ASSERT_TRUE(Get(get).ok());
  EXPECT_FALSE(got_.has_profile());
  EXPECT_THAT(got_.values().ints(), ElementsAre(2, 5));

  v1::BatchGetProfilesRequest batch;
  batch.add_profiles("n:1");
  batch.add_profiles("n:77");
  batch.add_profiles("broken");
  batch.mutable_identifiers()->set_type("n");
  batch.mutable_identifiers()->set_text("0");
  batch.mutable_identifiers()->add_text_ends(1);
  batch.set_projection(prepared.projection());
  v1::BatchGetProfilesResponse answer;
  ASSERT_TRUE(Call(*profiles_, &Profiles::BatchGetProfiles, batch, &answer).ok());
  EXPECT_EQ(answer.found(), std::string(1, '\x09'));
  EXPECT_FALSE(answer.batch().has_schema());
  EXPECT_THAT(answer.batch().vectors(1).ints(), ElementsAre(3, 0, 0, 1));
  ASSERT_EQ(answer.errors_size(), 1);
  EXPECT_EQ(answer.errors(0).index(), 2u);

  get.set_projection("0123456789abcdef");
  grpc::Status status = Get(get);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(status), "PROJECTION_UNKNOWN");
}

TEST_F(ProfileServiceTest, DeletedProfilesAreGone) {
  Fill(1);
  v1::DeleteProfileRequest request;
  request.set_profile("n:0");
  v1::DeleteProfileResponse response;
  ASSERT_TRUE(Call(*profiles_, &Profiles::DeleteProfile, request, &response).ok());
  v1::GetProfileRequest get;
  get.set_profile("n:0");
  grpc::Status status = Get(get);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(status), "PROFILE");
  EXPECT_EQ(Call(*profiles_, &Profiles::DeleteProfile, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ProfileServiceTest, EventsComePageByPage) {
  v1::TrackRequest track;
  for (int i = 0; i < 5; ++i) {
    v1::Event event = MakeEvent("n:1", "order");
    event.set_event_time_us(kNow - (5 - i) * kSecond);
    event.add_properties()->set_name("amount");
    event.mutable_properties(0)->mutable_value()->set_int_value(i);
    *track.add_events() = event;
  }
  v1::TrackResponse tracked;
  ASSERT_TRUE(Call(*events_, &Events::Track, track, &tracked).ok());
  v1::ListEventsRequest list;
  list.set_profile("n:1");
  list.set_page_size(2);
  list.set_oldest_first(true);
  std::vector<int64_t> amounts;
  for (int page = 0; page < 3; ++page) {
    v1::ListEventsResponse response;
    ASSERT_TRUE(Call(*profiles_, &Profiles::ListEvents, list, &response).ok());
    for (const v1::Event& event : response.events()) amounts.push_back(event.properties(0).value().int_value());
    list.set_page_token(response.next_page_token());
    EXPECT_EQ(response.next_page_token().empty(), page == 2);
  }
  EXPECT_THAT(amounts, ElementsAre(0, 1, 2, 3, 4));
  list.set_page_size(-1);
  v1::ListEventsResponse response;
  EXPECT_EQ(FieldOf(Call(*profiles_, &Profiles::ListEvents, list, &response)), "page_size");
}

TEST_F(ProfileServiceTest, ReadsWaitForThePositionTheyAskFor) {
  Fill(1);
  v1::GetProfileRequest get;
  get.set_profile("n:1");
  v1::StatusResponse status;
  ASSERT_TRUE(Call(*admin_, &Admin::Status, v1::StatusRequest(), &status).ok());
  get.add_min_positions()->set_value(status.positions(0).value() + 1);
  std::thread writer([&] {
    v1::UpsertProfilesRequest request;
    *request.add_writes() = Write("n:1", "i", 1);
    v1::WriteResult result;
    EXPECT_TRUE(Upsert(request, &result).ok());
  });
  EXPECT_TRUE(Get(get).ok()) << "the write was still to come, and was waited for";
  writer.join();

  get.mutable_min_positions(0)->set_value(status.positions(0).value() + 1'000);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  grpc::Status late = profiles_->GetProfile(&context, get, &got_);
  if (late.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) {  // the client's own timer may win on a busy machine
    EXPECT_EQ(late.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(ReasonOf(late), "POSITION_NOT_REACHED");
    EXPECT_EQ(DetailsOf(late).info.metadata().at("effect"), "none");
  }
  get.mutable_min_positions(0)->set_partition(3);
  EXPECT_EQ(FieldOf(Get(get)), "min_positions[0].partition");
}

TEST_F(ProfileServiceTest, WhatALaterVersionBringsIsRefusedByName) {
  v1::GetProfileRequest get;
  get.set_profile("n:1");
  get.set_purpose("marketing");
  grpc::Status status = Get(get);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(ReasonOf(status), "NOT_YET");
}

TEST_F(ServerTest, TrackAnswersDuplicatesAndErrorsByItem) {
  v1::TrackRequest request;
  *request.add_events() = MakeEvent("n:1", "order", "m1");
  *request.add_events() = MakeEvent("n:1", "order", "m1");
  *request.add_events() = MakeEvent("n:1", "");
  v1::EventBatch* batch = request.add_batches();
  batch->set_type("visit");
  v1::Identifiers* identifiers = batch->add_identifiers();
  identifiers->set_type("n");
  identifiers->set_text("1");
  identifiers->add_text_ends(1);
  identifiers->add_text_ends(1);
  batch->mutable_properties()->set_size(2);
  request.set_source("test");
  v1::TrackResponse response;
  grpc::Status status = Call(*events_, &Events::Track, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.result().applied_count(), 2u);
  EXPECT_THAT(response.result().duplicate_indexes(), ElementsAre(1));
  ASSERT_EQ(response.result().errors_size(), 2);
  EXPECT_EQ(response.result().errors(0).index(), 2u);
  EXPECT_EQ(response.result().errors(0).field(), "events[2].type");
  EXPECT_EQ(response.result().errors(1).index(), 4u);
  EXPECT_EQ(response.result().errors(1).field(), "batches[0].row[1].identifiers");
}

class CatalogServiceTest : public ServerTest {
 protected:
  v1::Definition* Segment(v1::ApplyDefinitionsRequest* request, const char* name, const char* expression) {
    v1::Definition* definition = request->add_definitions();
    definition->set_name(std::string("segments/") + name);
    definition->mutable_segment()->set_expression(expression);
    return definition;
  }
  grpc::Status Apply(const v1::ApplyDefinitionsRequest& request) { return Call(*catalog_, &Catalog::ApplyDefinitions, request, &applied_); }
  v1::ApplyDefinitionsResponse applied_;
};

TEST_F(CatalogServiceTest, DefinitionsAreAppliedListedAndDropped) {
  Fill(10);
  v1::ApplyDefinitionsRequest request;
  Segment(&request, "high", "i >= 7");
  v1::Definition* twice = request.add_definitions();
  twice->set_name("attributes/twice");
  twice->mutable_attribute()->set_expression("i * 2");
  request.set_time_zone("Europe/Amsterdam");
  grpc::Status status = Apply(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(applied_.changes_size(), 2);
  EXPECT_EQ(applied_.changes(0).kind(), v1::CHANGE_KIND_CREATE);

  v1::ListDefinitionsResponse list;
  ASSERT_TRUE(Call(*catalog_, &Catalog::ListDefinitions, v1::ListDefinitionsRequest(), &list).ok());
  std::vector<std::string> names;
  for (const v1::Definition& definition : list.definitions()) names.push_back(definition.name());
  EXPECT_THAT(names, ElementsAre("attributes/i", "attributes/twice", "segments/high"));
  EXPECT_EQ(list.definitions(0).state(), v1::DEFINITION_STATE_UNDECLARED);
  EXPECT_THAT(list.definitions(0).used_by(), ElementsAre("attributes/twice", "segments/high"));
  EXPECT_EQ(list.definitions(1).result_type(), v1::VALUE_TYPE_INT);
  EXPECT_EQ(list.time_zone(), "Europe/Amsterdam");

  v1::GetDefinitionRequest get;
  get.set_name("segments/high");
  v1::GetDefinitionResponse got;
  ASSERT_TRUE(Call(*catalog_, &Catalog::GetDefinition, get, &got).ok());
  EXPECT_EQ(got.definition().segment().expression(), "i >= 7");
  EXPECT_EQ(got.definition().normal_form(), "i >= 7");

  v1::SegmentsOfRequest of;
  of.set_profile("n:8");
  v1::SegmentsOfResponse segments;
  ASSERT_TRUE(Call(*segments_, &Segments::SegmentsOf, of, &segments).ok());
  EXPECT_THAT(segments.segments(), ElementsAre("high"));

  v1::DeleteDefinitionRequest drop;
  drop.set_name("segments/high");
  v1::DeleteDefinitionResponse dropped;
  ASSERT_TRUE(Call(*catalog_, &Catalog::DeleteDefinition, drop, &dropped).ok());
  status = Call(*catalog_, &Catalog::GetDefinition, get, &got);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(status), "DEFINITION");
}

TEST_F(CatalogServiceTest, ARefusedDefinitionChangesNothingAndIsNamed) {
  Fill(2);
  v1::ApplyDefinitionsRequest request;
  Segment(&request, "good", "i = 1");
  Segment(&request, "bad", "i = 'one'");
  grpc::Status status = Apply(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(FieldOf(status), HasSubstr("definitions[1]"));
  EXPECT_FALSE(DetailsOf(status).expression.rendered().empty());
  v1::GetDefinitionRequest get;
  get.set_name("segments/good");
  v1::GetDefinitionResponse got;
  EXPECT_EQ(Call(*catalog_, &Catalog::GetDefinition, get, &got).error_code(), grpc::StatusCode::NOT_FOUND);

  request.set_validate_only(true);
  ASSERT_TRUE(Apply(request).ok());
  ASSERT_EQ(applied_.changes_size(), 2);
  EXPECT_FALSE(applied_.changes(0).has_error());
  EXPECT_THAT(applied_.changes(1).error().message(), HasSubstr("^"));
}

TEST_F(CatalogServiceTest, ARevisionTheCallerDidNotSeeIsAborted) {
  v1::ApplyDefinitionsRequest request;
  Segment(&request, "all", "true");
  request.set_base_revision(77);
  grpc::Status status = Apply(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(ReasonOf(status), "REVISION_CHANGED");
}

TEST_F(CatalogServiceTest, APreviewCountsMembersAndChangesNothing) {
  Fill(10);
  v1::ApplyDefinitionsRequest apply;
  Segment(&apply, "high", "i >= 7");
  v1::PreviewDefinitionsRequest request;
  *request.mutable_definitions() = apply.definitions();
  v1::PreviewDefinitionsResponse preview;
  ASSERT_TRUE(Call(*catalog_, &Catalog::PreviewDefinitions, request, &preview).ok());
  ASSERT_EQ(preview.changes_size(), 1);
  EXPECT_EQ(preview.changes(0).segment().added_count(), 3u);
  EXPECT_EQ(preview.changes(0).segment().member_count(), 3u);
  EXPECT_EQ(preview.changes(0).segment().added_sample_size(), 3);
  v1::ListDefinitionsRequest parent;
  parent.set_parent("segments");
  v1::ListDefinitionsResponse list;
  ASSERT_TRUE(Call(*catalog_, &Catalog::ListDefinitions, parent, &list).ok());
  EXPECT_EQ(list.definitions_size(), 0);
}

TEST_F(CatalogServiceTest, AnAttributeIsRetyped) {
  Fill(3);
  v1::RetypeAttributeRequest request;
  request.set_attribute("i");
  v1::RetypeAttributeResponse response;
  EXPECT_EQ(FieldOf(Call(*catalog_, &Catalog::RetypeAttribute, request, &response)), "type");
  request.set_type(v1::VALUE_TYPE_STRING);
  ASSERT_TRUE(Call(*catalog_, &Catalog::RetypeAttribute, request, &response).ok());
  EXPECT_EQ(response.converted_count(), 3u);
  v1::CountRequest count;
  count.mutable_selection()->set_expression("i = '2'");
  v1::CountResponse counted;
  ASSERT_TRUE(Call(*segments_, &Segments::Count, count, &counted).ok());
  EXPECT_EQ(counted.count(), 1u);
}

class SegmentServiceTest : public ServerTest {
 protected:
  grpc::Status Count(const std::string& expression) {
    v1::CountRequest request;
    request.mutable_selection()->set_expression(expression);
    return Call(*segments_, &Segments::Count, request, &counted_);
  }
  v1::CountResponse counted_;
};

TEST_F(SegmentServiceTest, CountsWithParametersAndSaysWhatItRestsOn) {
  Fill(100);
  v1::CountRequest request;
  request.mutable_selection()->set_expression("i < @top");
  v1::Parameter* top = request.mutable_selection()->add_parameters();
  top->set_name("top");
  top->mutable_value()->set_int_value(30);
  ASSERT_TRUE(Call(*segments_, &Segments::Count, request, &counted_).ok());
  EXPECT_EQ(counted_.count(), 30u);
  EXPECT_EQ(counted_.now_us(), kNow);
  EXPECT_EQ(counted_.positions_size(), 1);
  EXPECT_EQ(counted_.normal_form(), "i < @top");
  *request.mutable_selection()->add_parameters() = *top;
  EXPECT_EQ(FieldOf(Call(*segments_, &Segments::Count, request, &counted_)), "selection.parameters[1].name");
  ASSERT_TRUE(Call(*segments_, &Segments::Count, v1::CountRequest(), &counted_).ok());
  EXPECT_EQ(counted_.count(), 100u) << "no selection is everybody";
}

TEST_F(SegmentServiceTest, AnExpressionErrorPointsAtItsPlace) {
  Fill(1);
  grpc::Status status = Count("i = 1 and contry = 'NL'");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  ErrorDetails details = DetailsOf(status);
  EXPECT_EQ(details.info.reason(), "UNKNOWN_NAME");
  EXPECT_EQ(details.expression.reason(), "UNKNOWN_NAME");
  EXPECT_EQ(details.expression.offset(), 10u);
  EXPECT_EQ(details.expression.length(), 6u);
  EXPECT_THAT(details.expression.rendered(), HasSubstr("^^^^^^"));
  EXPECT_EQ(details.bad_request.field_violations(0).field(), "selection.expression");
}

TEST_F(SegmentServiceTest, HostileExpressionsAreRefusedAndTheServerGoesOn) {
  Fill(1);
  for (const std::string& expression :
       {std::string(10'000, '(') + "true" + std::string(10'000, ')'), "not " + std::string(60'000, '-') + "1", std::string(70'000, 'a'),
        std::string("i = "), std::string("'\x01"), std::string("i ~ 1")}) {
    grpc::Status status = Count(expression);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << expression.substr(0, 40);
    EXPECT_FALSE(ReasonOf(status).empty());
  }
  EXPECT_TRUE(Count("i = 0").ok());
  EXPECT_EQ(counted_.count(), 1u);
}

TEST_F(SegmentServiceTest, WhatIsKnownButNotThereYetIsUnimplemented) {
  Fill(1);
  grpc::Status status = Count("consent('marketing')");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(ReasonOf(status), "NOT_YET");
}

TEST_F(SegmentServiceTest, SamplesAreRepeatable) {
  Fill(100);
  v1::SampleRequest request;
  request.set_size(10);
  request.set_seed(5);
  request.add_select("i");
  request.add_identifier_types("n");
  v1::SampleResponse first, again;
  ASSERT_TRUE(Call(*segments_, &Segments::Sample, request, &first).ok());
  ASSERT_TRUE(Call(*segments_, &Segments::Sample, request, &again).ok());
  EXPECT_EQ(first.profile_ids_size(), 10);
  EXPECT_EQ(first.member_count(), 100u);
  EXPECT_EQ(first.batch().schema().fields(0).name(), "i");
  EXPECT_EQ(first.identifiers(0).text_ends_size(), 10);
  EXPECT_EQ(first.SerializeAsString(), again.SerializeAsString());
}

TEST_F(SegmentServiceTest, BreakdownOverlapAndExplainAgree) {
  Fill(10);
  v1::BreakdownRequest breakdown;
  breakdown.add_by("i % 2");
  breakdown.add_measures()->set_of("i");
  v1::BreakdownResponse groups;
  grpc::Status status = Call(*segments_, &Segments::Breakdown, breakdown, &groups);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(groups.total_count(), 10u);
  EXPECT_EQ(groups.groups().size(), 2u);
  ASSERT_GE(groups.groups().schema().fields_size(), 6);
  EXPECT_EQ(groups.groups().schema().fields(1).name(), "count");
  EXPECT_EQ(groups.groups().schema().fields(2).name(), "sum(i)");
  EXPECT_THAT(groups.groups().vectors(1).ints(), ElementsAre(5, 5));
  EXPECT_THAT(groups.groups().vectors(2).ints(), ElementsAre(20, 25));

  v1::OverlapRequest overlap;
  overlap.add_selections()->set_expression("i < 6");
  overlap.add_selections()->set_expression("i >= 4");
  v1::OverlapResponse shared;
  ASSERT_TRUE(Call(*segments_, &Segments::Overlap, overlap, &shared).ok());
  EXPECT_THAT(shared.counts(), ElementsAre(6, 2, 2, 6));
  EXPECT_EQ(shared.population_count(), 10u);
  EXPECT_DOUBLE_EQ(shared.jaccard(1), 0.2);

  v1::ExplainRequest explain;
  explain.mutable_selection()->set_expression("i < 6 and i >= 4");
  v1::ExplainResponse plan;
  ASSERT_TRUE(Call(*segments_, &Segments::Explain, explain, &plan).ok());
  EXPECT_EQ(plan.plan().profile_count(), 2u);
  EXPECT_EQ(plan.plan().inputs_size(), 2);
  explain.set_profile("n:7");
  ASSERT_TRUE(Call(*segments_, &Segments::Explain, explain, &plan).ok());
  EXPECT_FALSE(plan.plan().truth());
  EXPECT_FALSE(plan.plan().inputs(0).truth());
  EXPECT_EQ(plan.plan().inputs(0).actual().int_value(), 7);
}

TEST_F(SegmentServiceTest, BadQuestionsNameTheField) {
  Fill(1);
  v1::BreakdownRequest breakdown;
  breakdown.add_measures()->set_of("i");
  breakdown.mutable_measures(0)->add_quantiles(std::nan(""));
  v1::BreakdownResponse groups;
  EXPECT_EQ(FieldOf(Call(*segments_, &Segments::Breakdown, breakdown, &groups)), "measures[0].quantiles[0]");
  v1::OverlapRequest overlap;
  v1::OverlapResponse shared;
  EXPECT_EQ(FieldOf(Call(*segments_, &Segments::Overlap, overlap, &shared)), "selections");
  for (int i = 0; i < 101; ++i) overlap.add_selections();
  EXPECT_EQ(ReasonOf(Call(*segments_, &Segments::Overlap, overlap, &shared)), "SELECTIONS");
}

TEST_F(SegmentServiceTest, StaticSegmentsAreLists) {
  Fill(10);
  v1::ApplyDefinitionsRequest apply;
  v1::Definition* vip = apply.add_definitions();
  vip->set_name("segments/vip");
  vip->mutable_segment()->set_static_(true);
  v1::ApplyDefinitionsResponse applied;
  ASSERT_TRUE(Call(*catalog_, &Catalog::ApplyDefinitions, apply, &applied).ok());
  v1::UpdateMembersRequest request;
  request.set_segment("vip");
  request.add_profiles("n:1");
  request.add_profiles("n:99");
  v1::UpdateMembersResponse response;
  ASSERT_TRUE(Call(*segments_, &Segments::UpdateMembers, request, &response).ok());
  EXPECT_EQ(response.member_count(), 1u);
  ASSERT_EQ(response.result().errors_size(), 1);
  EXPECT_EQ(response.result().errors(0).reason(), "PROFILE");
  request.mutable_selection()->set_expression("i > 4");
  EXPECT_EQ(FieldOf(Call(*segments_, &Segments::UpdateMembers, request, &response)), "profiles");
  request.clear_profiles();
  request.set_operation(v1::MEMBER_OPERATION_PUT);
  ASSERT_TRUE(Call(*segments_, &Segments::UpdateMembers, request, &response).ok());
  EXPECT_EQ(response.member_count(), 5u);
  ASSERT_TRUE(Count("in segment 'vip'").ok());
  EXPECT_EQ(counted_.count(), 5u);
}

TEST_F(ServerTest, StatusSaysWhatIsHeld) {
  Fill(7);
  v1::StatusResponse status;
  ASSERT_TRUE(Call(*admin_, &Admin::Status, v1::StatusRequest(), &status).ok());
  EXPECT_EQ(status.version(), KORREL_VERSION);
  EXPECT_EQ(status.profile_count(), 7u);
  EXPECT_EQ(status.shards(), 4u);
  EXPECT_EQ(status.clock_mode(), v1::CLOCK_MODE_SYSTEM);
  EXPECT_EQ(status.now_us(), kNow);
  EXPECT_EQ(status.recovery_ratio(), 1);
}

TEST_F(ServerTest, AClockThatFollowsTheMachineIsNotAdvanced) {
  auto database = Database::Open({}).value();
  auto server = Server::Start(database.get(), {.listen = "127.0.0.1:0"}).value();
  auto admin = v1::AdminService::NewStub(grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials()));
  v1::AdvanceClockRequest advance;
  advance.set_to_us(kNow + 1);
  v1::AdvanceClockResponse advanced;
  grpc::Status refused = Call(*admin, &Admin::AdvanceClock, advance, &advanced);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(refused), "CLOCK_NOT_REPLAY");
}

TEST_F(ServerTest, ABatchOverTheReceiveLimitIsRefusedAndTheServerGoesOn) {
  v1::UpsertProfilesRequest request;
  *request.add_writes() = Write("n:1", "i", 1);
  request.mutable_writes(0)->mutable_attributes(0)->mutable_value()->set_string_value(std::string(5 << 20, 'x'));
  v1::UpsertProfilesResponse response;
  EXPECT_EQ(Call(*profiles_, &Profiles::UpsertProfiles, request, &response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  request.mutable_writes(0)->mutable_attributes(0)->mutable_value()->set_string_value(std::string(65'537, 'x'));
  ASSERT_TRUE(Call(*profiles_, &Profiles::UpsertProfiles, request, &response).ok());
  ASSERT_EQ(response.result().errors_size(), 1);
  EXPECT_EQ(response.result().errors(0).field(), "writes[0].attributes[0].value");
}

}  // namespace
}  // namespace korrel::server
