// index/expression/utf8.h
//
// Code points of a text that may not be valid UTF-8: positions of errors are counted in them.
#pragma once

#include <cstddef>
#include <string_view>

namespace korrel {

// Bytes of the well-formed code point at `at`, or 0 where there is none. RFC 3629: no surrogates, nothing over U+10FFFF, shortest form.
size_t WellFormedBytes(std::string_view text, size_t at);

// The same, with a malformed byte as a code point of its own, so that a walk always moves on.
inline size_t CodePointBytes(std::string_view text, size_t at) {
  size_t bytes = WellFormedBytes(text, at);
  return bytes == 0 ? 1 : bytes;
}

}  // namespace korrel
