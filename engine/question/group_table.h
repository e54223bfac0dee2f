// engine/question/group_table.h
//
// GroupTable gathers what a breakdown knows of each group while rows stream by: how many profiles, and per measure the exact sum, the
// extremes, a histogram, the values themselves where quantiles are asked. One per shard, merged at the end; every figure is exact, so
// that neither the order of rows nor the layout of shards shows.
//
//   key of a group: per column  0 (absent) | 1, 8 bytes of the number | 1, 4 bytes of length, the text
//
// Threads  One thread at a time.
// Errors   kResourceExhausted GROUPS past kGroupsMax groups or kGroupBytesMax, QUANTILE_VALUES past kQuantileValuesMax values kept for
//          quantiles: from then on error() says so and nothing is taken any more.
// Cost     About 100 bytes for a group and 100 for each of its measures, beside its key; quantiles 8 bytes for each value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/database.h"
#include "engine/question/exact_sum.h"

namespace korrel {

inline constexpr size_t kGroupsMax = 1'000'000;
inline constexpr size_t kGroupBytesMax = size_t{256} << 20;  // of one table
inline constexpr uint64_t kQuantileValuesMax = uint64_t{1} << 26;

// A Measure, checked and bound to the type of what it measures.
class MeasurePlan {
 public:
  // Errors: TYPE (not numeric, or bounds that are not numbers), FIELD (quantiles, bounds out of order), LIMIT. `field` is its path.
  static StatusOr<MeasurePlan> Make(const Measure& measure, Type type, std::string_view field);

  Type type() const { return type_; }
  const std::vector<double>& quantiles() const { return quantiles_; }
  size_t bucket_count() const { return bucket_count_; }  // 0: no histogram
  // The bucket of a value: the number of bounds at or below it.
  size_t BucketOf(int64_t number) const;
  size_t BucketOf(double number) const;

 private:
  Type type_;
  std::vector<double> quantiles_;
  size_t bucket_count_ = 0;
  // An exact number is at or above a bound exactly when its unscaled int is at or above the bound brought to the same scale and
  // rounded up. As soon as one side is a double, doubles are compared.
  std::vector<int128> exact_bounds_;
  std::vector<double> double_bounds_;
};

// What is known of one measure in one group. Numbers are int64s of the measure's type; doubles as OrderedBits where only order counts.
struct MeasureState {
  uint64_t count = 0;  // values present
  int128 sum = 0;      // of ints and unscaled decimals
  ExactSum double_sum;
  int64_t min = INT64_MAX, max = INT64_MIN;
  std::vector<uint64_t> histogram;
  std::vector<int64_t> values;

  void Add(const MeasurePlan& plan, const ValueVector& column, size_t i);
  void Merge(MeasureState&& other);
};

struct Group {
  std::string key;
  uint64_t count = 0;
  std::vector<MeasureState> measures;
};

class GroupTable {
 public:
  GroupTable(std::vector<Type> key_types, const std::vector<MeasurePlan>* measures);

  // The slot of a key, made where it is new.
  uint32_t SlotOf(std::string_view key);
  // Counts a profile in: columns[m] row i is its value of measure m.
  void Add(uint32_t slot, const std::vector<ValueVector>& columns, size_t first_measure, size_t i);
  void Merge(GroupTable&& other);

  // Notes that the answer is too large. The first reason stays.
  void Fail(std::string_view reason, std::string_view message);
  const std::optional<Status>& error() const { return error_; }
  // All groups by falling count, then by value, absent last. Empties the table.
  std::vector<Group> Release();

 private:
  std::vector<Type> key_types_;
  const std::vector<MeasurePlan>* measures_;
  std::vector<Group> groups_;
  absl::flat_hash_map<std::string, uint32_t> slots_;
  size_t bytes_ = 0;
  uint64_t quantile_values_ = 0;
  std::optional<Status> error_;
};

// Keys, piece by piece.
void AppendAbsentToKey(std::string* key);
void AppendNumberToKey(int64_t number, std::string* key);
void AppendTextToKey(std::string_view text, std::string* key);
// The values of a key, one per column.
std::vector<Value> ValuesOfKey(std::string_view key, const std::vector<Type>& types);

// sum, avg, min, max, quantiles, histogram of one measure in one group, as the columns of the answer.
void AppendMeasureFields(const Measure& measure, const MeasurePlan& plan, std::vector<FieldSchema>* fields);
void AppendMeasureValues(const MeasurePlan& plan, MeasureState* state, std::vector<Value>* values);

}  // namespace korrel
