// index/evaluation/kept.h
//
// What a shard keeps current so that it need not be worked out when it is asked for: values of computed attributes (columns of the
// table like stored ones), values of aggregates and sequences (columns beside the table), members of live segments.
//
//   KeptNames   at compile time: which definitions and aggregates may be read that way; an immutable part of a catalog version
//   KeptValues  one shard's values, and which of its rows the clock has overtaken
//
// Every kept thing is a *unit* with a serial number of its own; a definition that means something else is another unit. A shard may
// read a unit when it is ready there: filled for every row. A row is *due* when its own next instant of change has come and was not
// served yet: its kept values are of before that instant, so it is evaluated from its records.
//
// Threads   KeptNames: immutable. KeptValues: as the shard's lock says.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "storage/attribute_column.h"
#include "storage/row_bits.h"
#include "storage/value.h"

namespace korrel {

class KeptNames {
 public:
  virtual ~KeptNames() = default;
  struct Unit {
    uint64_t serial = 0;
    Type type;
  };
  // nullopt: not kept, evaluate what it stands for.
  virtual std::optional<Unit> Attribute(AttributeId id) const = 0;
  virtual std::optional<Unit> Segment(SegmentId id) const = 0;
  // By the sharing key of an aggregate or sequence node (SharingKey(node, time zone, false)).
  virtual std::optional<Unit> Aggregate(std::string_view sharing_key) const = 0;
};

// A decayed sum: at t >= time_us it is s * 2^(-(t - time_us) / half_life).
struct DecayState {
  double s = 0;
  int64_t time_us = 0;  // of the newest event in it
};

class KeptValues {
 public:
  virtual ~KeptValues() = default;
  // Whether the unit is filled for every row of the shard.
  virtual bool IsReady(uint64_t serial) const = 0;
  // The values of an aggregate or sequence unit that is known here (ready or not): absent where the aggregate is. A sequence is a bool.
  // Never null for a ready unit; not for decayed aggregates.
  virtual const AttributeColumn* Aggregate(uint64_t serial) const = 0;
  // Of a decayed aggregate; nullopt: over nothing.
  virtual std::optional<DecayState> Decay(uint64_t serial, Row row) const = 0;
  // Of a live segment; nullptr: nobody.
  virtual const RowBits* Members(SegmentId id) const = 0;
  // Sets `words` (kBlockWords) to the rows of the block that are due at now; false: none are, and `words` is untouched.
  virtual bool DueRows(uint32_t block, int64_t now_us, uint64_t* words) const = 0;
  virtual bool IsDue(Row row, int64_t now_us) const = 0;
};

}  // namespace korrel
