// bench/micro/size.h
//
// KORREL_BENCH=small makes every benchmark small enough to run among the tests; anything else, or nothing, is full size.
#pragma once

#include <cstdlib>
#include <string_view>

namespace korrel {

inline bool IsSmallBench() {
  const char* size = std::getenv("KORREL_BENCH");
  return size && std::string_view(size) == "small";
}

}  // namespace korrel
