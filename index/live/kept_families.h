// index/live/kept_families.h
//
// The families of kept units, one maker per file; see kept_unit.h. Threads, Lifetime: as KeptUnit.
#pragma once

#include "index/live/kept_unit.h"

namespace korrel {

std::unique_ptr<KeptUnit> MakeSumUnit(const AggregateUnit& unit, KeptUnit::Shared* shared);
std::unique_ptr<KeptUnit> MakeExtremeUnit(const AggregateUnit& unit, KeptUnit::Shared* shared);
std::unique_ptr<KeptUnit> MakeEndUnit(const AggregateUnit& unit, KeptUnit::Shared* shared);
std::unique_ptr<KeptUnit> MakeDistinctUnit(const AggregateUnit& unit, KeptUnit::Shared* shared);
std::unique_ptr<KeptUnit> MakeRunsUnit(const AggregateUnit& unit, KeptUnit::Shared* shared);
std::unique_ptr<KeptUnit> MakeDecayUnit(const AggregateUnit& unit, KeptUnit::Shared* shared);

// A present value of a type held in an int64, from its raw form.
Value ValueOfRaw(Type type, int64_t raw);

}  // namespace korrel
