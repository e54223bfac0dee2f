// server/limits.h
//
// What one request may ask for. Every limit is checked before anything is allocated for what it bounds; docs/limits.md lists them
// for users. A request over one is RESOURCE_EXHAUSTED with the limit's name as reason, unless a comment says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace korrel::server {

inline constexpr int kReceiveBytesMax = 4 << 20;           // of one message; refused by gRPC itself
inline constexpr uint32_t kBatchItemsMax = 50'000;         // writes or events of one request, rows of a batch
inline constexpr uint64_t kBatchCellsMax = 1'000'000;      // present values of one request's batches
inline constexpr uint64_t kBatchTextBytesMax = 16u << 20;  // of those, once dictionaries are expanded
inline constexpr int kItemIdentifiersMax = 64;             // the engine's
inline constexpr int kItemAttributesMax = 1'000;           // the engine's: attributes of a profile write, properties of an event
inline constexpr int kBatchColumnsMax = 10'000;            // a row may have 1,000 of them
inline constexpr int kGetProfilesMax = 10'000;
inline constexpr int kMembersMax = 100'000;
inline constexpr int kSelectMax = 1'000;  // attributes or expressions of one answer
inline constexpr int kIdentifierTypesMax = 100;
inline constexpr int kEventTypesMax = 1'000;
inline constexpr int kParametersMax = 1'000;
inline constexpr int kGroupFieldsMax = 16;
inline constexpr int kMeasuresMax = 100;
inline constexpr int kQuantilesMax = 100;
inline constexpr int kBoundsMax = 1'000;
inline constexpr int kSelectionsMax = 100;
inline constexpr int kDefinitionsMax = 10'000;
inline constexpr int kWatchSegmentsMax = 10'000;
inline constexpr uint32_t kWatchBufferBytesDefault = 1u << 20;
inline constexpr uint32_t kWatchBufferBytesMin = 4'096, kWatchBufferBytesMax = 64u << 20;  // others are INVALID_ARGUMENT FIELD
inline constexpr int kPageSizeMax = 1'000;                                                 // larger ones are taken for this
inline constexpr uint32_t kPreviewSampleDefault = 10;
inline constexpr uint32_t kPreviewSampleMax = 1'000;
inline constexpr size_t kRequestIdBytesMax = 64;
inline constexpr size_t kStreamIdBytesMax = 40;  // with a separator and 20 digits it is a request id
// Between stream id and sequence. Not allowed in a caller's own request id, so that neither can be taken for the other.
inline constexpr char kStreamIdSeparator = '\x01';
inline constexpr size_t kSourceBytesMax = 128;
inline constexpr size_t kMessageIdBytesMax = 1'024;

inline constexpr int64_t kDeadlineDefaultUs = 30'000'000;   // of a call that names none
inline constexpr size_t kQueueTasksMax = 10'000;            // calls waiting for a worker; beyond: QUEUE
inline constexpr size_t kQueueBytesMax = 256u << 20;        // their requests
inline constexpr size_t kOpenStreamsMax = 1'024;            // of all connections; beyond: QUEUE
inline constexpr size_t kStreamBufferBytes = 1u << 20;      // a TrackStream is read on while less than this waits
inline constexpr size_t kHereBytesMax = 2'048;              // a write request up to this size needs no worker
inline constexpr size_t kQueryMessageBytes = 256u * 1'024;  // about
inline constexpr size_t kWatchMessageBytes = 64u * 1'024;   // about
inline constexpr int kConcurrentStreamsMax = 256;           // of one connection

}  // namespace korrel::server
