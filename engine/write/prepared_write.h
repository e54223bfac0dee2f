// engine/write/prepared_write.h
//
// A PreparedWrite is one item of a request on its way into the database: checked, its names turned into ids and its values into the
// stored types of one catalog snapshot, but not yet into a place: identity and the shard come next (engine/write/write_batch.h).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "engine/catalog/catalog.h"
#include "engine/clock.h"
#include "engine/identity.h"
#include "engine/mutation.h"

namespace korrel {

inline constexpr size_t kAttributesPerWriteMax = 1'000;
inline constexpr size_t kMessageIdBytesMax = 1'024;
inline constexpr std::string_view kDefaultSource = "api";

// Of an event whose type nobody has named yet; never stored.
inline constexpr EventTypeId kNoEventType(std::numeric_limits<decltype(EventTypeId::value)>::max());

struct PreparedWrite {
  uint32_t index = 0;  // in the request
  ProfileChange change;
  absl::InlinedVector<IdentifierKey, 2> keys;  // texts live in the request
  std::optional<ProfileId> named;              // by profile:…; without keys the profile must exist
  bool addressed = false;          // identifiers, and of an event time, source and message id, are there, even where the rest does not bind
  std::optional<uint64_t> layout;  // of the catalog snapshot it is bound to; nullopt: not yet
  // Set when identity was asked.
  uint64_t pending = 0;
  bool drawn = false;
};

// What binding looks at beside the item.
struct BindContext {
  const CatalogSnapshot* catalog;
  const Clock* clock;
  int64_t now_us;           // for items without a time
  std::string_view source;  // of the request
  bool last_try;            // names and types that are still missing are errors, not wishes
};

// Fills `out`, or says in `growth` what the catalog must know first (nothing of `out` counts then). Errors name the field inside the
// item; the item had no effect.
Status BindProfileWrite(const ProfileWrite& write, const BindContext& context, PreparedWrite* out, Growth* growth);
Status BindEventWrite(const EventWrite& write, const BindContext& context, PreparedWrite* out, Growth* growth);

// "type:value" taken apart and checked; views into `text`. "profile:<16 hex>" comes as type "profile".
struct IdentifierParts {
  std::string_view type, value;
  std::optional<ProfileId> profile;
};
StatusOr<IdentifierParts> SplitIdentifier(std::string_view text, std::string_view field);

}  // namespace korrel
