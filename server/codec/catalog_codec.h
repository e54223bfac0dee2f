// server/codec/catalog_codec.h
//
// Definitions and their changes between wire and engine.
//
// Errors  kInvalidArgument FIELD with the path below `field`.
#pragma once

#include <string_view>

#include "engine/database.h"
#include "korrel/v1/catalog_service.pb.h"

namespace korrel::server {

namespace v1 = ::korrel::v1;

StatusOr<Definition> DecodeDefinition(const v1::Definition& wire, std::string_view field);
void EncodeDefinition(const Definition& definition, v1::Definition* out);
// `index` is the definition's in the request, for its error.
void EncodeChange(const DefinitionChange& change, uint32_t index, v1::DefinitionChange* out);

}  // namespace korrel::server
