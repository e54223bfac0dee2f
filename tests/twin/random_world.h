// tests/twin/random_world.h
//
// The test schema of the model tests (that of the language's test expressions, and a little more for the extremes), random
// profiles and events over it, and one door that applies the same thing to the twin and to any number of databases.
//
// Values come from small pools so that they meet each other and the constants of random expressions; times lie on and around the
// edges of windows, days, months and zone changes seen from `now_us`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/database.h"
#include "tests/twin/naive_profile.h"
#include "tests/twin/random.h"
#include "tests/twin/random_expression.h"

namespace korrel::twin {

// Instants at which local time does something: day-light saving in both directions, ends of months and years, 2038, 2100.
const std::vector<int64_t>& InterestingInstants();

class RandomWorld {
 public:
  RandomWorld(Random* random, int64_t now_us);

  // What the schema declares, in an order in which each uses only what came before: events, attributes, segments.
  static std::vector<Definition> Definitions();
  static void Declare(NaiveStore* twin);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  Vocabulary SimpleVocabulary() const;
  int64_t now_us() const { return now_us_; }
  void SetNow(int64_t now_us) { now_us_ = now_us; }

  // "customer:<n>", for some with an "email:…" as well.
  std::vector<std::string> Identifiers(uint64_t person);
  ProfileWrite Profile(uint64_t person);
  // Attributes that exactly cover the simple vocabulary, without rare ones: cheap to make by the ten thousand.
  ProfileWrite PlainProfile(uint64_t person);
  EventWrite Event(uint64_t person);
  // Of the list "vip"; whom it is about is left to the caller.
  UpdateMembersRequest ListChange(int64_t now_us);
  int64_t EventTime();
  Value ValueFor(const std::string& attribute);

 private:
  std::string Text();
  int64_t Int();
  Decimal DecimalOf(int scale);
  double Double();
  StringSet Set();
  int64_t Instant();

  Random& random_;
  int64_t now_us_;
  Vocabulary vocabulary_;
};

// The same database with another layout. Each has its own clock.
struct Layout {
  uint32_t shards = 1;
  bool keep_postings = true;
  uint32_t events_hard_max = kEventsHardMax;
};
std::string LayoutName(const Layout& layout);
std::unique_ptr<Database> OpenDatabase(const Layout& layout, ClockMode mode, int64_t start_us, Clock** clock = nullptr);

// The schema above in a new database. Fails the test where it is refused.
void DeclareIn(Database* database);
// Until everything that was defined is kept current. Nothing is asserted about how soon.
void WaitUntilFilled(Database* database);

// Compares outcomes item by item: applied, duplicates, refusals with their reasons. Empty: equal; else what differs.
std::string DifferenceOf(const std::vector<ItemOutcome>& expected, const StatusOr<WriteResult>& actual);

}  // namespace korrel::twin
