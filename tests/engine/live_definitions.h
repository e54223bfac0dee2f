// tests/engine/live_definitions.h
//
// Definitions that are kept current, applied and waited for, and a whole log replayed into another database.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "engine/live/replay.h"
#include "tests/engine/write_fixture.h"

namespace korrel {

inline Definition Segment(std::string name, std::string expression) {
  Definition definition;
  definition.name = "segments/" + name;
  definition.kind = DefinitionKind::kSegment;
  definition.segment.expression = std::move(expression);
  return definition;
}
inline Definition Computed(std::string name, std::string expression) {
  Definition definition;
  definition.name = "attributes/" + name;
  definition.attribute.expression = std::move(expression);
  return definition;
}

inline void Apply(Database& database, std::vector<Definition> definitions) {
  ApplyRequest request;
  request.definitions = std::move(definitions);
  auto answer = database.ApplyDefinitions(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  for (const DefinitionChange& change : answer->changes) ASSERT_TRUE(change.error.ok()) << change.name << ": " << change.error;
  ASSERT_TRUE(database.WaitUntilFilled(answer->revision, 0, {}).ok());
}

// `second` is empty and becomes what the log tells of.
inline void ReplayInto(const Log& log, Database* second) {
  Position after;
  for (;;) {
    auto record = log.ReadAfter(after);
    ASSERT_TRUE(record.ok());
    if (!*record) break;
    const Status status = ReplayRecord(CoreOf(*second), **record);
    ASSERT_TRUE(status.ok()) << status;
    after = (*record)->position;
  }
  EndReplay(CoreOf(*second));
}

}  // namespace korrel
