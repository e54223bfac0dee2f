#include "index/evaluation/text.h"

#include <utf8proc.h>

#include <algorithm>

namespace korrel::text {
namespace {

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

size_t NextCodePoint(std::string_view text, size_t at) {
  ++at;
  while (at < text.size() && IsContinuation(text[at])) ++at;
  return at;
}

template <class Map>
std::string MapCodePoints(std::string_view text, const Map& map) {
  std::string result;
  result.reserve(text.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t size = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
    if (size <= 0) {  // not reachable with valid UTF-8; kept as it is
      result += text[at++];
      continue;
    }
    at += static_cast<size_t>(size);
    utf8proc_uint8_t encoded[4];
    const utf8proc_ssize_t encoded_size = utf8proc_encode_char(map(code_point), encoded);
    result.append(reinterpret_cast<const char*>(encoded), static_cast<size_t>(encoded_size));
  }
  return result;
}

}  // namespace

LikePattern::LikePattern(std::string_view pattern) {
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '%') {
      const bool doubled = !pieces_.empty() && pieces_.back().kind == Piece::Kind::kAnyRun;
      if (!doubled) pieces_.push_back({Piece::Kind::kAnyRun});
    } else if (pattern[at] == '_') {
      pieces_.push_back({Piece::Kind::kAnyCodePoint});
    } else {
      if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
      pieces_.push_back({Piece::Kind::kByte, pattern[at]});
    }
  }
}

bool LikePattern::Matches(std::string_view text) const {
  size_t at = 0, piece = 0;
  size_t run_piece = SIZE_MAX, run_at = 0;  // the last % and where its run ends at present
  while (at < text.size()) {
    if (piece < pieces_.size() && pieces_[piece].kind == Piece::Kind::kAnyRun) {
      run_piece = piece++;
      run_at = at;
    } else if (piece < pieces_.size() && pieces_[piece].kind == Piece::Kind::kAnyCodePoint) {
      at = NextCodePoint(text, at);
      ++piece;
    } else if (piece < pieces_.size() && pieces_[piece].byte == text[at]) {
      ++at;
      ++piece;
    } else if (run_piece != SIZE_MAX) {
      run_at = NextCodePoint(text, run_at);
      at = run_at;
      piece = run_piece + 1;
    } else {
      return false;
    }
  }
  while (piece < pieces_.size() && pieces_[piece].kind == Piece::Kind::kAnyRun) ++piece;
  return piece == pieces_.size();
}

std::string Lower(std::string_view text) { return MapCodePoints(text, utf8proc_tolower); }
std::string Upper(std::string_view text) { return MapCodePoints(text, utf8proc_toupper); }

int64_t CodePointCount(std::string_view text) {
  return static_cast<int64_t>(std::count_if(text.begin(), text.end(), [](char byte) { return !IsContinuation(byte); }));
}

}  // namespace korrel::text
