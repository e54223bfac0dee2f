// server/codec/request_digest.h
//
// What a request id is compared with: a digest of everything else in the request.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "google/protobuf/message_lite.h"

namespace korrel::server {

// XXH3-128 (16 bytes) of the serialized request without some of its top-level fields, and of `also`. The same content gives the
// same digest however it was ordered on the wire.
std::string DigestWithout(const google::protobuf::MessageLite& request, std::initializer_list<int> fields, std::string_view also = {});

}  // namespace korrel::server
