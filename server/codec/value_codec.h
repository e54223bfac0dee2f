// server/codec/value_codec.h
//
// Single values, types, schemas and positions between wire and engine.
//
// Decoding checks what the engine's types cannot hold (an unknown type, a scale over 18, a partition that is not there); what a
// value may be (NaN, UTF-8, sizes) is the engine's to check, once, where it uses it.
//
// Errors  kInvalidArgument FIELD with the path `field`.
#pragma once

#include <string_view>
#include <vector>

#include "engine/database.h"
#include "korrel/v1/value.pb.h"

namespace korrel::server {

namespace v1 = ::korrel::v1;

// No kind set: absent.
StatusOr<Value> DecodeValue(const v1::Value& wire, std::string_view field);
void EncodeValue(const Value& value, v1::Value* out);

// nullopt for VALUE_TYPE_UNSPECIFIED.
StatusOr<std::optional<Type>> DecodeType(v1::ValueType type, uint32_t scale, std::string_view field);
v1::ValueType EncodeType(Type type);

StatusOr<FieldSchema> DecodeField(const v1::Field& wire, std::string_view field);
void EncodeSchema(const std::vector<FieldSchema>& fields, uint64_t catalog_revision, v1::Schema* out);

StatusOr<Durability> DecodeDurability(v1::Durability wire, std::string_view field);

using Positions = google::protobuf::RepeatedPtrField<v1::Position>;
// The newest of them; all of partition 0.
StatusOr<Position> DecodePositions(const Positions& wire, std::string_view field);
void EncodePosition(Position position, Positions* out);

void EncodeWriteResult(const WriteResult& result, v1::WriteResult* out);

}  // namespace korrel::server
