// tests/twin/state_check.h
//
// Everything a database can be asked about one profile, or about everybody, against the twin. Each function says in words what
// differs first; empty: nothing.
#pragma once

#include <string>
#include <vector>

#include "engine/database.h"
#include "tests/twin/naive_profile.h"
#include "tests/twin/naive_questions.h"
#include "tests/twin/random.h"

namespace korrel::twin {

// GetProfile (attributes with times and sources, identifiers, segments, truncation, first and latest activity), SegmentsOf and
// ListEvents of whoever the identifier names; NOT_FOUND where it names nobody.
std::string DifferenceInProfile(NaiveStore& twin, Database& database, const std::string& identifier);
// Numbers of profiles and the clock.
std::string DifferenceInStatus(NaiveStore& twin, Database& database);

// Questions, each with random parts: Query ordered by an expression with a limit, and in small chunks with resumption; Sample;
// Breakdown; Overlap; Explain; BatchGet.
std::string DifferenceInTop(NaiveStore& twin, Database& database, const Expression& where, const Expression& by, bool descending,
                            uint64_t limit);
std::string DifferenceInResumedQuery(NaiveStore& twin, Database& database, const Expression& where);
std::string DifferenceInSample(NaiveStore& twin, Database& database, const Expression& where, uint32_t size, uint64_t seed,
                               std::vector<uint64_t>* sampled);
std::string DifferenceInBreakdown(NaiveStore& twin, Database& database, const Expression& where, const std::vector<ExpressionRef>& by,
                                  const std::vector<NaiveMeasure>& measures);
std::string DifferenceInOverlap(NaiveStore& twin, Database& database, const std::vector<ExpressionRef>& selections);
std::string DifferenceInExplain(NaiveStore& twin, Database& database, const Expression& where, const std::string& identifier);
std::string DifferenceInBatchGet(NaiveStore& twin, Database& database, const std::vector<ExpressionRef>& select,
                                 const std::vector<std::string>& identifiers);

}  // namespace korrel::twin
