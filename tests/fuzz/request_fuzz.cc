// Arbitrary bytes as every request that carries writes, definitions or columns: parsing and decoding must answer a status or a
// value, never crash, and what is decoded must stay within the limits.
//
// The first byte says which request it is.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/codec/catalog_codec.h"
#include "server/codec/request_digest.h"
#include "server/codec/write_codec.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/wire.h"

namespace korrel::server {
namespace {

void Require(bool holds) {
  if (!holds) abort();
}

template <class Items>
void CheckItems(const Items& decoded) {
  Require(decoded.items.size() == decoded.index_of.size());
  Require(decoded.items.size() + decoded.refused.size() <= kBatchItemsMax);
}

void FuzzUpsert(std::string_view bytes) {
  v1::UpsertProfilesRequest request;
  if (!ParseRequest(bytes, &request).ok()) return;
  Require(DigestWithout(request, {v1::UpsertProfilesRequest::kRequestIdFieldNumber}).size() == 16);
  auto decoded = DecodeUpsert(request);
  if (!decoded.ok()) return Require(!ToRpcStatus(decoded.status()).details().empty());
  CheckItems(*decoded);
  WriteResult result = MergeResult({}, decoded->index_of, std::move(decoded->refused), PlacesOf(request));
  for (const ItemError& error : result.errors) {
    v1::ItemError wire;
    EncodeItemError(error, &wire);
    Require(!wire.reason().empty());
  }
}

void FuzzTrack(std::string_view bytes) {
  v1::TrackRequest request;
  if (!ParseRequest(bytes, &request).ok()) return;
  auto decoded = DecodeEvents(request.events(), request.batches());
  if (decoded.ok()) CheckItems(*decoded);
}

void FuzzApply(std::string_view bytes) {
  v1::ApplyDefinitionsRequest request;
  if (!ParseRequest(bytes, &request).ok()) return;
  for (const v1::Definition& wire : request.definitions()) {
    auto definition = DecodeDefinition(wire, "definitions[0]");
    if (!definition.ok()) continue;
    v1::Definition back;
    EncodeDefinition(*definition, &back);
    Require(back.name() == wire.name() && back.kind_case() == wire.kind_case());
  }
}

}  // namespace
}  // namespace korrel::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace korrel::server;
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      FuzzUpsert(bytes);
      break;
    case 1:
      FuzzTrack(bytes);
      break;
    default:
      FuzzApply(bytes);
  }
  return 0;
}
