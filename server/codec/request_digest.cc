#include "server/codec/request_digest.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <xxhash.h>

#include <algorithm>
#include <memory>

namespace korrel::server {
namespace {

using google::protobuf::internal::WireFormatLite;

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

}  // namespace

std::string DigestWithout(const google::protobuf::MessageLite& request, std::initializer_list<int> fields, std::string_view also) {
  std::string bytes = request.SerializeAsString();
  std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
  XXH3_128bits_reset(state.get());
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  google::protobuf::io::CodedInputStream in(data, static_cast<int>(bytes.size()));
  for (;;) {
    int begin = in.CurrentPosition();
    uint32_t tag = in.ReadTag();
    if (tag == 0 || !WireFormatLite::SkipField(&in, tag)) break;
    if (std::find(fields.begin(), fields.end(), WireFormatLite::GetTagFieldNumber(tag)) != fields.end()) continue;
    XXH3_128bits_update(state.get(), data + begin, static_cast<size_t>(in.CurrentPosition() - begin));
  }
  XXH3_128bits_update(state.get(), also.data(), also.size());
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(state.get()));
  return std::string(reinterpret_cast<const char*>(digest.digest), sizeof(digest.digest));
}

}  // namespace korrel::server
