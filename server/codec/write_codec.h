// server/codec/write_codec.h
//
// Writes from the wire: profile writes and events, one by one and in columns, as the engine takes them.
//
// An item that cannot be decoded becomes an item error and the others go on; a batch whose columns do not fit together fails the
// call, because no item of it can be told from another. Items of one request are counted through, single ones first.
//
// Errors  of the call: kInvalidArgument FIELD, kResourceExhausted with the limit's name; of items: the same, in `refused`.
#pragma once

#include <vector>

#include "engine/database.h"
#include "korrel/v1/event_service.pb.h"
#include "korrel/v1/profile_service.pb.h"
#include "server/codec/batch_codec.h"

namespace korrel::server {

// Items the engine is to apply, and where they stood in the request.
template <class Write>
struct DecodedItems {
  std::vector<Write> items;
  std::vector<uint32_t> index_of;  // items[i] is item index_of[i] of the request
  std::vector<ItemError> refused;  // ascending by index
};
using DecodedProfileWrites = DecodedItems<ProfileWrite>;
using DecodedEvents = DecodedItems<EventWrite>;

StatusOr<DecodedProfileWrites> DecodeUpsert(const v1::UpsertProfilesRequest& request);

using WireEvents = google::protobuf::RepeatedPtrField<v1::Event>;
using WireEventBatches = google::protobuf::RepeatedPtrField<v1::EventBatch>;
StatusOr<DecodedEvents> DecodeEvents(const WireEvents& events, const WireEventBatches& batches);

// Where the items of a request stand on the wire: `writes[3]`, `batch.row[0]`, `batches[1].row[5]`.
struct ItemPlaces {
  std::string_view name;      // of single items: "writes", "events"
  uint32_t single_count = 0;  // items below are name[i]
  struct BatchPlace {
    std::string name;
    uint32_t begin;  // index of its first row
  };
  std::vector<BatchPlace> batches;
  std::string PathOf(uint32_t index) const;
};
ItemPlaces PlacesOf(const v1::UpsertProfilesRequest& request);
ItemPlaces PlacesOf(const WireEvents& events, const WireEventBatches& batches);
// The engine's result with the indexes and paths of the request, and with what was refused before the engine saw it.
WriteResult MergeResult(WriteResult result, const std::vector<uint32_t>& index_of, std::vector<ItemError> refused,
                        const ItemPlaces& places);

}  // namespace korrel::server
