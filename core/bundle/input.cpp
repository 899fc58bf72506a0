#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "core/base/descriptor.h"
#include "core/base/files.h"
#include "core/bundle/header.h"
#include "core/bundle/part_header.h"
#include "core/bundle/parts.h"

namespace ote::bundle {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostLooked = 20'000;  // files in a folder in which parts are looked for

struct OpenFile {
  Descriptor handle;
  std::uint64_t size = 0;
};

Result<OpenFile> OpenToRead(const fs::path& path) {
  // O_NONBLOCK: a pipe put in the place of a file must not hang the program.
  OpenFile file{Descriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)), 0};
  if (!file.handle) return Fail(FileError("reading", path, errno));
  struct stat info {};
  if (::fstat(file.handle.get(), &info) != 0) return Fail(FileError("reading", path, errno));
  if (!S_ISREG(info.st_mode)) {
    return Fail(ErrorId::kFileFailed, fmt::format("reading {}: it is not a regular file", path.string()));
  }
  file.size = static_cast<std::uint64_t>(info.st_size);
  return file;
}

Result<void> ReadAt(const OpenFile& file, const fs::path& path, std::uint64_t offset, std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = ::pread(file.handle.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(FileError("reading", path, errno));
    if (got == 0) {
      return Fail(ErrorId::kBundleTruncated, fmt::format("{}: it breaks off after {} bytes", path.string(), offset),
                  "copy the rest of it, or ask for it again");
    }
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

class OneFile final : public Input {
 public:
  OneFile(fs::path path, OpenFile file) : path_(std::move(path)), file_(std::move(file)) {}
  std::uint64_t Size() const noexcept override { return file_.size; }
  Result<void> Read(std::uint64_t offset, std::span<std::uint8_t> out) override {
    return ReadAt(file_, path_, offset, out);
  }
  std::vector<fs::path> Files() const override { return {path_}; }

 private:
  fs::path path_;
  OpenFile file_;
};

class Memory final : public Input {
 public:
  explicit Memory(ByteView bytes) : bytes_(bytes) {}
  std::uint64_t Size() const noexcept override { return bytes_.size(); }
  Result<void> Read(std::uint64_t offset, std::span<std::uint8_t> out) override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return Fail(ErrorId::kBundleTruncated, fmt::format("it breaks off after {} bytes", bytes_.size()));
    }
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }

 private:
  ByteView bytes_;
};

struct Part {
  PartHeader header;
  fs::path path;
  OpenFile file;
};

class Parts final : public Input {
 public:
  Parts(std::uint32_t count, std::uint64_t total, std::map<std::uint32_t, Part> parts)
      : count_(count), total_(total), parts_(std::move(parts)) {}
  std::uint64_t Size() const noexcept override { return total_; }

  Result<void> Read(std::uint64_t offset, std::span<std::uint8_t> out) override {
    while (!out.empty()) {
      const auto* part = At(offset);
      if (part == nullptr) {
        std::string names;
        for (const auto number : Missing()) names += fmt::format("{}{}", names.empty() ? "" : ", ", number);
        return Fail(ErrorId::kBundlePartMissing,
                    fmt::format("of the {} parts of the bundle, not here: {}", count_, names),
                    "put all parts into one folder");
      }
      const auto within = offset - part->header.offset;
      const auto take = std::min<std::uint64_t>(out.size(), part->header.length - within);
      OTE_CHECK(ReadAt(part->file, part->path, kPartHeader + within, out.first(static_cast<std::size_t>(take))));
      out = out.subspan(static_cast<std::size_t>(take));
      offset += take;
    }
    return {};
  }

  std::vector<std::uint32_t> Missing() const override {
    std::vector<std::uint32_t> missing;
    for (std::uint32_t number = 1; number <= count_; ++number) {
      if (!parts_.contains(number)) missing.push_back(number);
    }
    return missing;
  }
  std::vector<fs::path> Files() const override {
    std::vector<fs::path> files;
    for (const auto& [number, part] : parts_) files.push_back(part.path);
    return files;
  }

 private:
  const Part* At(std::uint64_t offset) const {
    for (const auto& [number, part] : parts_) {
      if (offset >= part.header.offset && offset - part.header.offset < part.header.length) return &part;
    }
    return nullptr;
  }
  std::uint32_t count_;
  std::uint64_t total_;
  std::map<std::uint32_t, Part> parts_;
};

std::optional<PartHeader> PartHeaderOf(const OpenFile& file, const fs::path& path) {
  std::array<std::uint8_t, kPartHeader> bytes{};
  if (file.size < bytes.size() || !ReadAt(file, path, 0, bytes)) return {};
  return DecodePartHeader(bytes);
}

// The parts that belong to `first`, wherever they are in its folder. Of two with the same number, the longer file.
Result<std::unique_ptr<Input>> Gather(const fs::path& folder, const PartHeader& first) {
  std::map<std::uint32_t, Part> parts;
  std::error_code error;
  std::size_t looked = 0;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && looked < kMostLooked;
       it.increment(error)) {
    ++looked;
    std::error_code ignored;
    if (!it->is_regular_file(ignored)) continue;
    auto file = OpenToRead(it->path());
    if (!file) continue;
    const auto header = PartHeaderOf(*file, it->path());
    if (!header || header->which != first.which || header->count != first.count || header->total != first.total) {
      continue;
    }
    const auto there = parts.find(header->number);
    if (there != parts.end() && there->second.file.size >= file->size) continue;
    parts.insert_or_assign(header->number, Part{*header, it->path(), std::move(*file)});
  }
  if (error) return Fail(FileError("reading", folder, error.value()));
  return std::unique_ptr<Input>(std::make_unique<Parts>(first.count, first.total, std::move(parts)));
}

fs::path FolderOf(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// A part of the bundle that was split under the name `path`.
std::optional<fs::path> AnyPartOf(const fs::path& path) {
  std::error_code error;
  const std::string stem = path.filename().string() + ".";
  for (fs::directory_iterator it(FolderOf(path), error), end; !error && it != end; it.increment(error)) {
    const auto name = it->path().filename().string();
    if (name.size() < stem.size() + 3 || !name.starts_with(stem)) continue;
    const auto rest = name.substr(stem.size());
    if (std::all_of(rest.begin(), rest.end(), [](char c) { return c >= '0' && c <= '9'; })) return it->path();
  }
  return {};
}

}  // namespace

std::unique_ptr<Input> OpenMemory(ByteView bytes) { return std::make_unique<Memory>(bytes); }

Result<std::unique_ptr<Input>> OpenInput(const fs::path& path) {
  auto file = OpenToRead(path);
  if (!file) {
    std::error_code ignored;
    const auto part = fs::exists(path, ignored) ? std::nullopt : AnyPartOf(path);
    if (!part) return Fail(std::move(file).error());
    return OpenInput(*part);
  }
  std::array<std::uint8_t, 8> magic{};
  const auto begins = [&](std::string_view with) { return std::equal(with.begin(), with.end(), magic.begin()); };
  const bool read = file->size >= magic.size() && ReadAt(*file, path, 0, magic);
  if (read && begins(kPartMagic)) {
    const auto header = PartHeaderOf(*file, path);
    if (!header) {
      return Fail(ErrorId::kBundleAltered, fmt::format("{}: the beginning of this part is damaged", path.string()),
                  "copy the part again");
    }
    return Gather(FolderOf(path), *header);
  }
  if (!read || !begins(kMagic)) {
    return Fail(ErrorId::kBundleNone, fmt::format("{}: it is not a bundle", path.string()));
  }
  return std::unique_ptr<Input>(std::make_unique<OneFile>(path, std::move(*file)));
}

}  // namespace ote::bundle
