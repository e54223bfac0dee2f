// engine/question/resume_token.h
//
// Where a streamed query goes on: opaque to the caller, bound to one request, one set of definitions and one layout of shards.
//
//   version 1 | request 8 | meaning 8 | revision 8 | incarnation 8 | shard count 4 | shard 4 | row 4 | sent 8 | checksum 8
//   (all numbers least significant byte first; the checksum is XXH3-64 of what stands before it)
//
// Errors  Decode: kInvalidArgument FIELD for bytes that Encode never wrote.
#pragma once

#include <string>
#include <string_view>

#include "storage/status.h"
#include "storage/value.h"

namespace korrel {

struct ResumeToken {
  uint64_t request = 0;      // hash of the request as it was written
  uint64_t meaning = 0;      // hash of what it meant: the sharing key and the types of the fields
  uint64_t revision = 0;     // of the catalog
  uint64_t incarnation = 0;  // of the database: rows mean nothing after a restart
  uint32_t shard_count = 0;
  uint32_t shard = 0;
  Row row;            // the next to judge
  uint64_t sent = 0;  // profiles already received, for the limit

  std::string Encode() const;
  static StatusOr<ResumeToken> Decode(std::string_view bytes);
};

// Hash of a list of texts, unambiguous about where each ends.
class TextHash {
 public:
  TextHash& Add(std::string_view text);
  TextHash& Add(uint64_t number);
  uint64_t Sum64() const;
  std::string Sum128() const;  // 16 bytes, the same on every machine

 private:
  std::string bytes_;
};

}  // namespace korrel
