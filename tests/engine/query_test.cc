// Query: streams in row order and how they go on, top-k.
#include <fmt/format.h>

#include <set>

#include "tests/engine/question_fixture.h"

namespace korrel {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class Query : public testing::TestWithParam<uint32_t> {
 protected:
  Query() : db(GetParam()) {}

  void Fill(int64_t count = 200) {
    for (int64_t i = 0; i < count; ++i) {
      Attributes attributes = {{"n", i}, {"name", fmt::format("name {}", i)}, {"group", i / 10}};
      if (i % 4 != 0) attributes["score"] = static_cast<double>(i % 7) - 3;
      db.Put(fmt::format("customer:{}", i), attributes);
    }
  }

  struct Chunks {
    std::vector<std::string> rows;
    std::vector<uint64_t> ids;
    std::vector<std::string> tokens;  // one per chunk
    std::vector<size_t> ends;         // rows up to the end of each chunk
  };
  Chunks All(const QueryRequest& request, size_t bytes_max = 256 * 1024) {
    Chunks all;
    auto stream = db->Query(request);
    EXPECT_TRUE(stream.ok()) << stream.status();
    if (!stream.ok()) return all;
    while (true) {
      auto chunk = (*stream)->Next(bytes_max);
      EXPECT_TRUE(chunk.ok()) << chunk.status();
      if (!chunk.ok() || !chunk->has_value()) return all;
      for (size_t i = 0; i < (*chunk)->batch.size; ++i) all.rows.push_back(RowText((*chunk)->batch, i));
      for (ProfileId id : (*chunk)->batch.profile_ids) all.ids.push_back(id.value);
      all.tokens.push_back((*chunk)->resume_token);
      all.ends.push_back(all.ids.size());
    }
  }

  TestDatabase db;
};
INSTANTIATE_TEST_SUITE_P(Shards, Query, testing::Values(1, 2, 8), testing::PrintToStringParamName());

TEST_P(Query, GivesEveryMatchOnce) {
  Fill();
  const Chunks all = All({.selection = {"n < 150"}, .select = {"n", "name", "n * 2"}}, 500);
  EXPECT_THAT(all.ids, SizeIs(150));
  EXPECT_GT(all.tokens.size(), 5u) << "500 bytes are a few rows";
  std::set<std::string> rows(all.rows.begin(), all.rows.end());
  for (int i = 0; i < 150; ++i) EXPECT_TRUE(rows.contains(fmt::format("{} 'name {}' {}", i, i, 2 * i))) << i;
}

TEST_P(Query, TellsPositionAndClockWhereNobodyMatches) {
  Fill(5);
  auto stream = db->Query({.selection = {"n > 1000"}, .select = {"n"}});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_THAT((*stream)->fields(), SizeIs(1));
  EXPECT_EQ((*stream)->fields()[0].type, kIntType);
  auto first = (*stream)->Next();
  ASSERT_TRUE(first.ok() && first->has_value());
  EXPECT_EQ((*first)->batch.size, 0u);
  EXPECT_EQ((*first)->context.position, db->log().Last());
  EXPECT_EQ((*first)->context.now_us, kNowUs);
  auto second = (*stream)->Next();
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(second->has_value());
}

TEST_P(Query, GoesOnBehindAnyChunk) {
  Fill();
  QueryRequest request{.selection = {"n % 3 = 0"}, .select = {"n"}};
  const Chunks all = All(request, 200);
  ASSERT_GT(all.tokens.size(), 3u);
  for (size_t c = 0; c < all.tokens.size(); ++c) {
    request.resume_token = all.tokens[c];
    const std::vector<uint64_t> rest(all.ids.begin() + all.ends[c], all.ids.end());
    EXPECT_EQ(All(request).ids, rest) << "after chunk " << c;
  }
}

TEST_P(Query, TheLimitHoldsAcrossResuming) {
  Fill();
  QueryRequest request{.selection = {"true"}, .select = {"n"}, .limit = 25};
  const Chunks all = All(request, 200);
  EXPECT_THAT(all.ids, SizeIs(25));
  request.resume_token = all.tokens[0];
  EXPECT_THAT(All(request).ids, SizeIs(25 - all.ends[0]));
  request.resume_token = all.tokens.back();
  EXPECT_THAT(All(request).ids, IsEmpty());
}

TEST_P(Query, WhoMatchedThroughoutComesExactlyOnce) {
  Fill();
  QueryRequest request{.selection = {"n >= 0"}, .select = {"n"}};
  std::map<std::string, int> seen;
  for (int round = 0; round < 100; ++round) {
    auto stream = db->Query(request);
    ASSERT_TRUE(stream.ok()) << stream.status();
    auto chunk = (*stream)->Next(150);
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    if (!chunk->has_value() || (*chunk)->batch.size == 0) break;
    for (const std::string& row : RowTexts((*chunk)->batch)) ++seen[row];
    request.resume_token = (*chunk)->resume_token;
    // Meanwhile some leave, some come, all are written to.
    if (round < 40) {
      ASSERT_TRUE(db->Delete(fmt::format("customer:{}", round), {}).ok());
      db.Put(fmt::format("new:{}", round), {{"n", int64_t{1'000 + round}}});
    }
    db.Put(fmt::format("customer:{}", 40 + round), {{"name", std::string("changed")}});
  }
  for (int i = 40; i < 200; ++i) EXPECT_EQ(seen[std::to_string(i)], 1) << i;
  for (const auto& [row, times] : seen) EXPECT_EQ(times, 1) << row;
}

TEST_P(Query, TokensAreCheckedAndBound) {
  Fill();
  QueryRequest request{.selection = {"n >= 0"}, .select = {"n"}};
  const std::string token = All(request, 100).tokens[0];
  for (std::string bad : {std::string("x"), token.substr(1), token + "x", std::string(token.size(), '\0')}) {
    request.resume_token = bad;
    EXPECT_THAT(db->Query(request), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  }
  for (size_t i = 0; i < token.size(); ++i) {
    request.resume_token = token;
    request.resume_token[i] ^= 1;
    EXPECT_THAT(db->Query(request), FailsWith(StatusCode::kInvalidArgument, "FIELD")) << "byte " << i;
  }
  request.resume_token = token;
  QueryRequest other = request;
  other.selection.expression = "n >= 1";
  EXPECT_THAT(db->Query(other), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  other = request;
  other.select = {"name"};
  EXPECT_THAT(db->Query(other), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  other = request;
  other.limit = 3;
  EXPECT_THAT(db->Query(other), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  EXPECT_TRUE(db->Query(request).ok());
}

TEST_P(Query, AnotherStartOrDefinitionEndsResuming) {
  Fill();
  QueryRequest request{.selection = {"n >= 0"}, .select = {"n"}};
  request.resume_token = All(request, 100).tokens[0];
  TestDatabase restarted(GetParam());
  restarted.Put("customer:1", {{"n", int64_t{1}}});
  EXPECT_THAT(restarted->Query(request), FailsWith(StatusCode::kAborted, "RESUME_CHANGED"));
  db.Define({LiveSegment("big", "n > 100")});
  EXPECT_THAT(db->Query(request), FailsWith(StatusCode::kAborted, "RESUME_CHANGED"));
}

TEST_P(Query, AFieldThatWidensEndsTheStream) {
  Fill();
  auto stream = db->Query({.selection = {"group >= 0"}, .select = {"n"}});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Next(100).ok());
  db.Put("customer:0", {{"n", Decimal{5, 1}}});
  EXPECT_THAT((*stream)->Next(100'000), FailsWith(StatusCode::kAborted, "RESUME_CHANGED"));
}

TEST_P(Query, NewNamesDoNotDisturbAStream) {
  Fill();
  QueryRequest request{.selection = {"n >= 0"}, .select = {"n"}, .identifier_types = {"*"}};
  auto stream = db->Query(request);
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::set<std::string> seen;
  for (int round = 0;; ++round) {
    auto chunk = (*stream)->Next(300);
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    if (!chunk->has_value()) break;
    for (const std::string& row : RowTexts((*chunk)->batch)) EXPECT_TRUE(seen.insert(row).second) << row;
    if (round > 5) continue;
    // A type of identifier that the stream's snapshot has never heard of, on a profile still to come.
    ProfileWrite write;
    write.identifiers = {fmt::format("customer:{}", 190 + round), fmt::format("type_{}:x", round)};
    write.attributes = {{fmt::format("new attribute {}", round), AttributeOperation::kSet, int64_t{1}, 0}};
    ASSERT_TRUE(db->Upsert({&write, 1}, {}).ok());
  }
  EXPECT_THAT(seen, SizeIs(200));
}

TEST_P(Query, IdentifiersComeOnRequest) {
  ProfileWrite write;
  write.identifiers = {"customer:1", "email:a@example.nl", "email:b@example.nl"};
  ASSERT_TRUE(db->Upsert({&write, 1}, {}).ok());
  auto identifiers = [&](std::vector<std::string> types) {
    auto stream = db->Query({.selection = {"true"}, .identifier_types = std::move(types)});
    return (*(*stream)->Next())->batch.identifiers;
  };
  EXPECT_THAT(identifiers({}), IsEmpty());
  EXPECT_THAT(identifiers({"email"}), ElementsAre(ElementsAre("email:a@example.nl", "email:b@example.nl")));
  EXPECT_THAT(identifiers({"*"}), ElementsAre(ElementsAre("customer:1", "email:a@example.nl", "email:b@example.nl")));
  EXPECT_THAT(identifiers({"loyalty_card"}), ElementsAre(IsEmpty()));
}

TEST_P(Query, ProjectionsAndListsGiveTheSame) {
  Fill(20);
  const auto projection = db->PrepareProjection({"n", "upper(name)"}, false);
  ASSERT_TRUE(projection.ok()) << projection.status();
  QueryRequest by_list{.selection = {"true"}, .select = {"n", "upper(name)"}};
  QueryRequest by_handle{.selection = {"true"}, .projection = *projection};
  EXPECT_EQ(All(by_handle).rows, All(by_list).rows);
  by_handle.select = {"n"};
  EXPECT_THAT(db->Query(by_handle), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
}

TEST_P(Query, ADurationIsNoAnswer) {
  db.Put("customer:1", {{"seen", Timestamp{kNowUs - kDayUs}}});
  const auto refused = db->Query({.selection = {"true"}, .select = {"seen", "now() - seen"}});
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "TYPE"));
  EXPECT_EQ(FieldOf(refused.status()), "select[1]");
  EXPECT_THAT(All({.selection = {"true"}, .select = {"(now() - seen) / 1d"}}).rows, ElementsAre("1"));
}

TEST_P(Query, NamesOfAttributesNeedNoQuotes) {
  db.Put("customer:1", {{"favourite colour", std::string("blue")}, {"order", int64_t{7}}, {"and", int64_t{8}}});
  EXPECT_THAT(All({.selection = {"true"}, .select = {"favourite colour", "order", "and", "order + \"and\""}}).rows,
              ElementsAre("'blue' 7 8 15"));
}

TEST_P(Query, AllKindsOfValuesArrive) {
  db.Put("customer:1", {{"b", true},
                        {"d", Decimal{-1250, 2}},
                        {"f", 0.1},
                        {"i", INT64_MIN},
                        {"s", std::string("é'")},
                        {"t", Timestamp{kNowUs}},
                        {"z", StringSet{"a", "b"}},
                        {"empty", StringSet{}}});
  const std::vector<std::string> select = {"b", "d", "f", "i", "s", "t", "z", "empty", "i + 1 > i", "lower(s)"};
  const auto in_rows = All({.selection = {"true"}, .select = select});
  const auto ordered = All({.selection = {"true"}, .select = select, .order_by = {"i"}, .limit = 1});
  EXPECT_EQ(in_rows.rows, ordered.rows);
  ASSERT_THAT(in_rows.rows, SizeIs(1));
  EXPECT_THAT(in_rows.rows[0], testing::StartsWith("true -12.50 0.1 -9223372036854775808 "));
}

// ---- Top-k ----

TEST_P(Query, OrdersWithAbsentLastAndTiesById) {
  for (const auto& [id, score] : std::vector<std::pair<int64_t, int64_t>>{{1, 5}, {2, -1}, {3, 9}, {4, -1}, {5, 5}, {6, -1}, {7, 1}}) {
    Attributes attributes = {{"n", id}};
    if (score >= 0) attributes["score"] = score;
    db.Put(fmt::format("customer:{}", id), attributes);
  }
  QueryRequest request{.selection = {"true"}, .select = {"n"}, .order_by = {"score", false}, .limit = 100};
  EXPECT_THAT(All(request).rows, ElementsAre("7", "1", "5", "3", "2", "4", "6"));
  request.order_by.descending = true;
  EXPECT_THAT(All(request).rows, ElementsAre("3", "1", "5", "7", "2", "4", "6"));
  request.limit = 3;
  EXPECT_THAT(All(request).rows, ElementsAre("3", "1", "5"));
  request.order_by = {"coalesce(score, 6) * -1", false};
  EXPECT_THAT(All(request).rows, ElementsAre("3", "2", "4"));
}

TEST_P(Query, TopOfManyEqualsSorting) {
  Fill(500);
  for (bool descending : {false, true}) {
    QueryRequest request{.selection = {"n != 77"}, .select = {"score", "n"}, .order_by = {"score", descending}, .limit = 50};
    std::vector<std::pair<std::pair<bool, double>, int64_t>> twin;
    for (int64_t i = 0; i < 500; ++i) {
      if (i == 77) continue;
      const double score = static_cast<double>(i % 7) - 3;
      twin.push_back({{i % 4 == 0, i % 4 == 0 ? 0 : descending ? -score : score}, i});
    }
    std::sort(twin.begin(), twin.end());
    const Chunks all = All(request, 300);
    ASSERT_THAT(all.rows, SizeIs(50));
    EXPECT_GT(all.tokens.size(), 3u);
    for (size_t i = 0; i < 50; ++i) EXPECT_THAT(all.rows[i], testing::EndsWith(fmt::format(" {}", twin[i].second))) << i;
  }
}

TEST_P(Query, OrderWantsALimitAnOrderAndNoToken) {
  Fill(3);
  db.Put("customer:1", {{"tags", StringSet{"a"}}});
  QueryRequest request{.selection = {"true"}, .order_by = {"n"}};
  EXPECT_THAT(db->Query(request), FailsWith(StatusCode::kInvalidArgument, "LIMIT"));
  request.limit = kTopMax + 1;
  EXPECT_THAT(db->Query(request), FailsWith(StatusCode::kInvalidArgument, "LIMIT"));
  request.limit = kTopMax;
  EXPECT_THAT(All(request).ids, SizeIs(3));
  EXPECT_THAT(All(request).tokens[0], "") << "an ordered query is asked again, not resumed";
  request.resume_token = "x";
  EXPECT_THAT(db->Query(request), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  request.resume_token = "";
  request.order_by.by = "tags";
  EXPECT_THAT(db->Query(request), FailsWith(StatusCode::kInvalidArgument, "TYPE"));
  request.order_by.by = "unknown";
  EXPECT_THAT(db->Query(request), FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_NAME"));
}

}  // namespace
}  // namespace korrel
