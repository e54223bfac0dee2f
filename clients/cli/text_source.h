// clients/cli/text_source.h
//
// TextSource gives the text of a file, plain or gzip, as UTF-8 without a byte-order mark, piece by piece.
//
// Errors     Open: NOT_FOUND, or FAILED_PRECONDITION for what is not a regular file (import reads a file twice). Read: DATA_LOSS
//            for a damaged or cut-off gzip file, and for one with other bytes behind its gzip data, naming file and byte; what was
//            read before is given first.
// Invariants Digest() is that of the unpacked bytes read so far, before any conversion: the same for x.csv and x.csv.gz.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "storage/status.h"

namespace korrel::cli {

enum class Encoding : uint8_t { kUtf8, kWindows1252 };

// "utf-8", "windows-1252".
std::string_view EncodingName(Encoding encoding);

// Windows-1252 text as UTF-8. The five bytes the code page leaves open become U+FFFD.
void AppendWindows1252(std::string_view text, std::string* utf8);

class TextSource {
 public:
  static StatusOr<std::unique_ptr<TextSource>> Open(const std::string& path, Encoding encoding);
  ~TextSource();
  TextSource(const TextSource&) = delete;
  TextSource& operator=(const TextSource&) = delete;

  // Appends up to about 256 KiB to `text`; false at the end.
  StatusOr<bool> Read(std::string* text);

  bool had_byte_order_mark() const { return had_mark_; }
  bool packed() const { return packed_; }
  // How much of the file has been read, 0 to 1, by its bytes on disk.
  double Progress() const;
  // 32 hex digits.
  std::string Digest() const;

 private:
  struct File;
  explicit TextSource(std::unique_ptr<File> file);
  Status CheckStart(std::string_view piece);

  std::unique_ptr<File> file_;
  std::string path_;
  Encoding encoding_ = Encoding::kUtf8;
  bool started_ = false;
  bool had_mark_ = false;
  bool packed_ = false;
};

}  // namespace korrel::cli
