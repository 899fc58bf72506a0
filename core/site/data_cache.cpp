#include "core/site/data_cache.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "core/learn/prepare.h"
#include "crypto/digest.h"

namespace ote::site {
namespace {

tl::unexpected<Error> Unreadable(const std::string& path, int error) {
  return Fail(ErrorId::kDataUnreadable, fmt::format("{}: {}", path, std::generic_category().message(error)));
}

Result<void> HashFile(const std::string& path, crypto::Hasher& hasher) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (!file) return Unreadable(path, errno);
  Bytes buffer(1 << 16);
  while (const auto got = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    hasher.Update(ByteView(buffer).first(got));
  }
  if (std::ferror(file.get()) != 0) return Unreadable(path, errno);
  return {};
}

Result<FileStamp> LabelStamp(const api::Dataset& dataset) {
  if (dataset.label_path.empty()) return FileStamp{};
  return StampOf(dataset.label_path);
}

tl::unexpected<Error> Changed(const api::Dataset& dataset) {
  return Fail(ErrorId::kDataChanged,
              fmt::format("data set {}: {} changed since it was registered", dataset.name, dataset.path),
              fmt::format("ote data add {} --path {} --replace", dataset.name, dataset.path));
}

}  // namespace

Result<FileStamp> StampOf(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return Unreadable(path, errno);
  if (!S_ISREG(info.st_mode)) return Fail(ErrorId::kDataUnreadable, path + ": not a regular file");
  return FileStamp{info.st_size, info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec,
                   BigId{static_cast<std::uint64_t>(info.st_ino)}};
}

Result<std::string> DigestOfData(const api::Dataset& dataset) {
  crypto::Hasher hasher;
  OTE_CHECK(HashFile(dataset.path, hasher));
  if (!dataset.label_path.empty()) OTE_CHECK(HashFile(dataset.label_path, hasher));
  return hasher.Finish().ToString();
}

Result<RegisteredFile> ReadForRegistration(const api::Dataset& asked) {
  RegisteredFile file;
  OTE_TRY(file.stamp, StampOf(asked.path));
  OTE_TRY(file.label_stamp, LabelStamp(asked));
  OTE_TRY(file.dataset,
          learn::Describe(learn::SourceOf(asked), asked.name, asked.test_fraction, asked.split_seed.value));
  OTE_TRY(file.dataset.digest, DigestOfData(asked));
  OTE_TRY(const auto stamp, StampOf(asked.path));
  OTE_TRY(const auto label_stamp, LabelStamp(asked));
  if (stamp != file.stamp || label_stamp != file.label_stamp) {
    return Fail(ErrorId::kDataChanged, fmt::format("{}: it changed while it was read", asked.path),
                "add it again when nothing writes to it");
  }
  return file;
}

Result<void> DataCache::Read(const RegisteredFile& file, const FileStamp& stamp, const FileStamp& label_stamp) {
  const auto& dataset = file.dataset;
  Release();
  if (stamp != file.stamp || label_stamp != file.label_stamp) {
    // Touched, moved back from a copy, or changed: only the bytes tell.
    OTE_TRY(const auto digest, DigestOfData(dataset));
    if (digest != dataset.digest) return Changed(dataset);
  }
  OTE_TRY(const auto table, learn::LoadTable(learn::SourceOf(dataset)));
  OTE_TRY(split_, learn::SplitTable(table, dataset.test_fraction, dataset.split_seed.value));
  OTE_TRY(const auto after, StampOf(dataset.path));
  if (after != stamp) return Changed(dataset);
  held_ = RegisteredFile{dataset, stamp, label_stamp};
  classes_ = table.class_names;
  return {};
}

Result<void> DataCache::Hold(const RegisteredFile& file, const Columns* wanted) {
  const auto& dataset = file.dataset;
  OTE_TRY(const auto stamp, StampOf(dataset.path));
  OTE_TRY(const auto label_stamp, LabelStamp(dataset));
  const bool same = held_ && held_->dataset.digest == dataset.digest && ToJson(held_->dataset) == ToJson(dataset) &&
                    held_->stamp == stamp && held_->label_stamp == label_stamp;
  const bool usable = !prepared_ || (wanted != nullptr && *prepared_ == *wanted);
  if (!same || !usable) OTE_CHECK(Read(file, stamp, label_stamp));
  if (wanted == nullptr || prepared_) return {};
  for (auto* table : {&split_.train, &split_.test}) {
    if (auto done = learn::Prepare(*table, {*wanted, {}}); !done) {
      Release();  // one half may have been prepared
      return Fail(std::move(done).error().Context(fmt::format("data set {}", dataset.name)));
    }
  }
  prepared_ = *wanted;
  return {};
}

Result<void> DataCache::UseClasses(const std::vector<std::string>& classes) {
  for (auto* table : {&split_.train, &split_.test}) {
    table->class_names = classes_;
    if (classes_ == classes) continue;
    if (auto renumbered = learn::UseClasses(*table, classes); !renumbered) {
      Release();  // one half may have been renumbered
      return Fail(std::move(renumbered).error());
    }
  }
  classes_ = classes;
  return {};
}

Result<const learn::Split*> DataCache::Load(const RegisteredFile& file, const std::vector<std::string>& classes,
                                            const api::Preparation& preparation) {
  OTE_CHECK(Hold(file, &preparation.columns));
  if (file.dataset.task != api::DataTask::kClassification) return &split_;
  if (!classes.empty()) {
    OTE_CHECK(UseClasses(classes));
  } else {
    for (auto* table : {&split_.train, &split_.test}) table->class_names.clear();
  }
  return &split_;
}

Result<const learn::Split*> DataCache::LoadRaw(const RegisteredFile& file) {
  OTE_CHECK(Hold(file, nullptr));
  for (auto* table : {&split_.train, &split_.test}) table->class_names = classes_;
  return &split_;
}

void DataCache::Release() {
  held_.reset();
  prepared_.reset();
  classes_.clear();
  split_ = {};
}

}  // namespace ote::site
