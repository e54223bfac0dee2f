#include "clients/cli/text_source.h"

#include <errno.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

namespace korrel::cli {
namespace {

constexpr size_t kPieceBytes = 256 << 10;
constexpr std::string_view kMark = "\xEF\xBB\xBF";

// Code points of the bytes 0x80–0x9F; everything else is Latin-1.
constexpr std::array<uint16_t, 32> kHighControls = {0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
                                                    0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
                                                    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178};

}  // namespace

// The bytes on disk, and what they unpack to. zlib's own gzip reader passes over whatever follows a member and is no further one;
// here that is damage, or the rows behind it would be missing without a word.
struct TextSource::File {
  std::FILE* in = nullptr;
  bool packed = false;
  z_stream unpack = {};
  bool in_member = false;
  uint64_t member_at = 0;   // where the gzip member begins
  uint64_t read_bytes = 0;  // from disk
  std::string input;
  XXH3_state_t* digest = XXH3_createState();
  int64_t bytes_on_disk = 0;
  std::string piece;
  Status problem;  // behind the bytes given so far

  ~File() {
    if (packed) inflateEnd(&unpack);
    if (in != nullptr) std::fclose(in);
    XXH3_freeState(digest);
  }

  uint64_t used_bytes() const { return read_bytes - unpack.avail_in; }
  size_t ReadDisk(const std::string& path, char* to);
  size_t ReadPacked(const std::string& path);
  Status Damage(const std::string& path) const;
};

size_t TextSource::File::ReadDisk(const std::string& path, char* to) {
  const size_t count = std::fread(to, 1, kPieceBytes, in);
  read_bytes += count;
  if (std::ferror(in) != 0) {
    problem = MakeError(absl::StatusCode::kDataLoss, "FILE", "",
                        fmt::format("'{}' cannot be read behind byte {}: {}", path, read_bytes, std::strerror(errno)));
  }
  return count;
}

Status TextSource::File::Damage(const std::string& path) const {
  const bool at_begin = member_at > 0 && unpack.total_out == 0;
  return MakeError(absl::StatusCode::kDataLoss, "FILE", "",
                   at_begin
                       ? fmt::format("'{}' is damaged: its gzip data ends at byte {}, and what follows is no gzip data", path, member_at)
                       : fmt::format("'{}' is damaged at byte {}: {}", path, used_bytes(),
                                     unpack.msg != nullptr ? unpack.msg : "its gzip data cannot be read"));
}

// Fills `piece` from one gzip member after another; fewer bytes than it takes only at the end or before a problem.
size_t TextSource::File::ReadPacked(const std::string& path) {
  unpack.next_out = reinterpret_cast<Bytef*>(piece.data());
  unpack.avail_out = static_cast<uInt>(piece.size());
  while (unpack.avail_out > 0 && problem.ok()) {
    if (unpack.avail_in == 0) {
      unpack.next_in = reinterpret_cast<Bytef*>(input.data());
      unpack.avail_in = static_cast<uInt>(ReadDisk(path, input.data()));
    }
    if (unpack.avail_in == 0) {
      if (in_member && problem.ok()) {
        problem = MakeError(absl::StatusCode::kDataLoss, "FILE", "",
                            fmt::format("'{}' is cut off at byte {}: its gzip data has no end", path, read_bytes));
      }
      break;
    }
    if (!in_member) {
      member_at = used_bytes();
      inflateReset(&unpack);
      in_member = true;
    }
    const int code = inflate(&unpack, Z_NO_FLUSH);
    if (code == Z_STREAM_END) {
      in_member = false;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      problem = Damage(path);
    }
  }
  return piece.size() - unpack.avail_out;
}

std::string_view EncodingName(Encoding encoding) { return encoding == Encoding::kUtf8 ? "utf-8" : "windows-1252"; }

void AppendWindows1252(std::string_view text, std::string* utf8) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const uint16_t point = byte >= 0x80 && byte < 0xA0 ? kHighControls[byte - 0x80] : byte;
    if (point < 0x80) {
      utf8->push_back(c);
    } else if (point < 0x800) {
      utf8->push_back(static_cast<char>(0xC0 | point >> 6));
      utf8->push_back(static_cast<char>(0x80 | (point & 0x3F)));
    } else {
      utf8->push_back(static_cast<char>(0xE0 | point >> 12));
      utf8->push_back(static_cast<char>(0x80 | (point >> 6 & 0x3F)));
      utf8->push_back(static_cast<char>(0x80 | (point & 0x3F)));
    }
  }
}

TextSource::TextSource(std::unique_ptr<File> file) : file_(std::move(file)) {}
TextSource::~TextSource() = default;

StatusOr<std::unique_ptr<TextSource>> TextSource::Open(const std::string& path, Encoding encoding) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) {
    return MakeError(absl::StatusCode::kNotFound, "FILE", "", fmt::format("cannot read '{}': {}", path, std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode)) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "FILE", "",
                     fmt::format("'{}' is not a regular file; a file is read twice, so it cannot be a pipe or a folder", path));
  }
  auto file = std::make_unique<File>();
  file->in = std::fopen(path.c_str(), "rb");
  if (file->in == nullptr) {
    return MakeError(absl::StatusCode::kNotFound, "FILE", "", fmt::format("cannot read '{}': {}", path, std::strerror(errno)));
  }
  char mark[2] = {};
  const bool has_mark = std::fread(mark, 1, 2, file->in) == 2 && mark[0] == '\x1F' && mark[1] == '\x8B';
  std::rewind(file->in);
  constexpr int kGzipOnly = 16;
  if (has_mark && inflateInit2(&file->unpack, MAX_WBITS + kGzipOnly) != Z_OK) {
    return MakeError(absl::StatusCode::kResourceExhausted, "MEMORY", "", fmt::format("'{}' cannot be unpacked: no memory", path));
  }
  file->packed = has_mark;
  file->input.resize(has_mark ? kPieceBytes : 0);
  XXH3_128bits_reset(file->digest);
  file->bytes_on_disk = info.st_size;
  file->piece.resize(kPieceBytes);
  std::unique_ptr<TextSource> source(new TextSource(std::move(file)));
  source->path_ = path;
  source->encoding_ = encoding;
  source->packed_ = source->file_->packed;
  return source;
}

Status TextSource::CheckStart(std::string_view piece) {
  started_ = true;
  if (piece.substr(0, 2) == "\xFF\xFE" || piece.substr(0, 2) == "\xFE\xFF") {
    return InvalidArgument("ENCODING", "",
                           fmt::format("'{0}' is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 '{0}' > utf8.csv", path_));
  }
  if (piece.find('\0') != std::string_view::npos) {
    return InvalidArgument("ENCODING", "", fmt::format("'{}' is not a text file: it holds zero bytes", path_));
  }
  had_mark_ = piece.substr(0, kMark.size()) == kMark;
  return absl::OkStatus();
}

StatusOr<bool> TextSource::Read(std::string* text) {
  KORREL_RETURN_IF_ERROR(file_->problem);
  const size_t count = packed_ ? file_->ReadPacked(path_) : file_->ReadDisk(path_, file_->piece.data());
  if (count == 0) {
    KORREL_RETURN_IF_ERROR(file_->problem);
    return false;
  }
  std::string_view piece(file_->piece.data(), count);
  XXH3_128bits_update(file_->digest, piece.data(), piece.size());
  if (!started_) {
    KORREL_RETURN_IF_ERROR(CheckStart(piece));
    if (had_mark_) piece.remove_prefix(kMark.size());
  }
  if (encoding_ == Encoding::kWindows1252) {
    AppendWindows1252(piece, text);
  } else {
    text->append(piece);
  }
  return true;
}

double TextSource::Progress() const {
  if (file_->bytes_on_disk == 0) return 1;
  return std::min(1.0, static_cast<double>(file_->used_bytes()) / static_cast<double>(file_->bytes_on_disk));
}

std::string TextSource::Digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(file_->digest);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace korrel::cli
