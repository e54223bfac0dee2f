// engine/catalog/definition_preview.h
//
// Who would enter and leave a segment if its definition changed: both definitions evaluated over everybody, in turns.
#pragma once

#include "engine/core.h"

namespace korrel {

// `before` and `after` with the schemas they were compiled against; null: nobody is a member. nullopt: `after` cannot be evaluated yet,
// because the same change gives an attribute it reads another type. Errors: kDeadlineExceeded; kUnavailable SHUTDOWN.
struct PreviewSide {
  ExpressionRef expression;
  const Schema* schema;
};
StatusOr<std::optional<SegmentPreview>> PreviewSegment(Core& core, const PreviewSide& before, const PreviewSide& after,
                                                       uint32_t sample_size, int64_t deadline_ns);

}  // namespace korrel
