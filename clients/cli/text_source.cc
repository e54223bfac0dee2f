#include "clients/cli/text_source.h"

#include <errno.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zlib.h>

#include <algorithm>
#include <array>
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

struct TextSource::File {
  gzFile gz = nullptr;
  XXH3_state_t* digest = XXH3_createState();
  int64_t bytes_on_disk = 0;
  std::string piece;

  ~File() {
    if (gz != nullptr) gzclose_r(gz);
    XXH3_freeState(digest);
  }
};

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
  file->gz = gzopen(path.c_str(), "rb");
  if (file->gz == nullptr) {
    return MakeError(absl::StatusCode::kNotFound, "FILE", "", fmt::format("cannot read '{}': {}", path, std::strerror(errno)));
  }
  gzbuffer(file->gz, kPieceBytes);
  XXH3_128bits_reset(file->digest);
  file->bytes_on_disk = info.st_size;
  file->piece.resize(kPieceBytes);
  std::unique_ptr<TextSource> source(new TextSource(std::move(file)));
  source->path_ = path;
  source->encoding_ = encoding;
  source->packed_ = gzdirect(source->file_->gz) == 0;
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
  const int count = gzread(file_->gz, file_->piece.data(), static_cast<unsigned>(file_->piece.size()));
  if (count <= 0) {
    int code = Z_OK;
    const char* problem = gzerror(file_->gz, &code);
    // An unexpected end is Z_BUF_ERROR; the other codes are damage.
    if (code == Z_OK || code == Z_STREAM_END) return false;
    return MakeError(absl::StatusCode::kDataLoss, "FILE", "",
                     code == Z_BUF_ERROR ? fmt::format("'{}' is cut off: its gzip data has no end", path_)
                                         : fmt::format("'{}' is damaged: {}", path_, problem));
  }
  std::string_view piece(file_->piece.data(), static_cast<size_t>(count));
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
  return std::min(1.0, static_cast<double>(gzoffset(file_->gz)) / static_cast<double>(file_->bytes_on_disk));
}

std::string TextSource::Digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(file_->digest);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace korrel::cli
