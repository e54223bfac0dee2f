// Goal: a purchase of the Complete Journey kind (nine properties, message id and time) costs at most 28 bytes beside 64 for each
// profile and type, the allocator's rounding included.
// Method: households and purchases of the file's shape from a seeded generator, and the example's own file where it is there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <stdexcept>

#include "storage/profile_table.h"

namespace korrel {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

struct Purchase {
  uint32_t household;
  EventToAdd event;
};

// 2,400 households, 75,000 purchases in a year: each shops at a few stores, baskets rise with time, most discounts are zero.
std::vector<Purchase> Generate(uint64_t seed) {
  std::mt19937_64 random(seed);
  auto uniform = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1)); };
  std::vector<std::vector<int64_t>> stores(2'400);
  std::vector<double> weights;
  for (auto& own : stores) {
    for (int64_t i = uniform(1, 4); i > 0; --i) own.push_back(uniform(280, 460));
    weights.push_back(std::exp(std::normal_distribution<double>(0, 0.9)(random)));
  }
  std::discrete_distribution<uint32_t> household(weights.begin(), weights.end());
  std::vector<Purchase> purchases;
  for (int i = 0; i < 75'000; ++i) {
    Purchase p;
    p.household = household(random);
    int64_t second = uniform(0, 365 * 86'400 - 1);
    p.event.time_us = (1'483'228'800 + second) * kSecondUs;
    p.event.message_hash = random() | 1;
    int64_t cents = static_cast<int64_t>(std::exp(std::normal_distribution<double>(5.4, 0.8)(random)));
    int64_t discount = uniform(0, 1) ? uniform(1, 300) : 0, coupon = uniform(0, 60) == 0 ? uniform(25, 200) : 0;
    const auto& own = stores[p.household];
    const Value values[] = {own[random() % own.size()],  31'198'000'000 + second * 80 + uniform(0, 1'000),
                            uniform(25'000, 18'300'000), uniform(0, 5) ? int64_t{1} : uniform(2, 6),
                            Decimal{cents, 2},           Decimal{discount, 2},
                            Decimal{coupon, 2},          Decimal{uniform(0, 150) == 0 ? int64_t{50} : 0, 2},
                            second / 604'800 + 1};
    for (uint32_t v = 0; v < 9; ++v) p.event.properties.emplace_back(PropertyId(v), values[v]);
    purchases.push_back(std::move(p));
  }
  std::stable_sort(purchases.begin(), purchases.end(),
                   [](const Purchase& a, const Purchase& b) { return a.event.time_us < b.event.time_us; });
  return purchases;
}

struct Sizes {
  uint64_t events = 0, profiles = 0, bytes = 0;
};

Sizes Load(const std::vector<Purchase>& purchases) {
  ProfileTable table(nullptr);
  EventTypeSchema type;
  std::map<uint32_t, Row> rows;
  for (const Purchase& p : purchases) {
    auto [it, is_new] = rows.try_emplace(p.household);
    if (is_new) it->second = table.AddRow(ProfileId(rows.size()));
    EXPECT_EQ(table.AddEvent(it->second, type, p.event).result, ProfileTable::AddEventResult::kAdded);
  }
  Sizes sizes{table.event_count(), rows.size(), table.Properties(type.id).MemoryBytes()};
  // A history's block in its row: one count, one entry.
  for (const auto& [household, row] : rows) sizes.bytes += table.History(row, type.id)->MemoryBytes() + 32;
  return sizes;
}

double BytesEach(const Sizes& sizes, const char* name) {
  double each = (static_cast<double>(sizes.bytes) - 64.0 * static_cast<double>(sizes.profiles)) / static_cast<double>(sizes.events);
  std::printf("%s: %llu purchases of %llu households, %.2f bytes each beside 64 a household\n", name,
              static_cast<unsigned long long>(sizes.events), static_cast<unsigned long long>(sizes.profiles), each);
  return each;
}

TEST(PurchaseBytes, GeneratedPurchasesStayBelow28Each) {
  constexpr uint64_t kSeed = 20170101;
  Sizes sizes = Load(Generate(kSeed));
  double each = BytesEach(sizes, "seed 20170101");
  EXPECT_EQ(sizes.events, 75'000u);
  EXPECT_LE(each, 28.0);
}

#define KORREL_PURCHASES "examples/complete_journey/data/transactions_sample.csv.gz"

// "2261","309","31625220889","940996",1,3.86,0.43,0,0,5,"2017-01-28T19:06:53Z", by household and time
Purchase Parse(std::string line, uint64_t hash) {
  std::erase(line, '"');
  std::vector<std::string> cells;
  for (std::istringstream in(line); in.good();) std::getline(in, cells.emplace_back(), ',');
  if (cells.size() != 11) throw std::runtime_error("not a purchase: " + line);
  Purchase p;
  p.household = static_cast<uint32_t>(std::stoul(cells[0]));
  p.event.message_hash = hash;
  std::tm time{};
  strptime(cells[10].c_str(), "%Y-%m-%dT%H:%M:%SZ", &time);
  p.event.time_us = static_cast<int64_t>(timegm(&time)) * kSecondUs;
  for (uint32_t v = 0; v < 9; ++v) {
    double number = std::stod(cells[v + 1]);
    Value value = v >= 4 && v <= 7 ? Value(Decimal{std::llround(number * 100), 2}) : Value(static_cast<int64_t>(number));
    if (v == 1) value = number;  // one basket is written 4.0128e+10, so all of them are doubles
    p.event.properties.emplace_back(PropertyId(v), std::move(value));
  }
  return p;
}

TEST(PurchaseBytes, TheFilesPurchasesStayBelow28Each) {
  if (!std::ifstream(KORREL_PURCHASES)) GTEST_SKIP() << KORREL_PURCHASES " is not here";
  std::FILE* in = popen("gzip -dc " KORREL_PURCHASES, "r");
  ASSERT_NE(in, nullptr);
  std::vector<Purchase> purchases;
  std::mt19937_64 random(1);
  char line[1024];
  ASSERT_NE(std::fgets(line, sizeof(line), in), nullptr);  // the header
  while (std::fgets(line, sizeof(line), in)) purchases.push_back(Parse(std::string(line, std::strcspn(line, "\r\n")), random() | 1));
  ASSERT_EQ(pclose(in), 0);
  std::stable_sort(purchases.begin(), purchases.end(),
                   [](const Purchase& a, const Purchase& b) { return a.event.time_us < b.event.time_us; });
  ASSERT_GT(purchases.size(), 10'000u);
  EXPECT_LE(BytesEach(Load(purchases), "the file"), 28.0);
}

}  // namespace
}  // namespace korrel
