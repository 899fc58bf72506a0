// Reads registered files, after making sure that they are still what was registered, and keeps the last one for the
// next round. Everything here is for the worker's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/api/dataset.h"
#include "core/api/prepare.h"
#include "core/learn/data.h"

namespace ote::site {

// What tells cheaply that a file was not touched.
struct FileStamp {
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;
  BigId inode;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("size", self.size);
    v("modifiedNs", self.modified_ns);
    v("inode", self.inode);
  }
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// A data set and the stamps of its files when they were read.
struct RegisteredFile {
  static constexpr std::string_view kKind = "registered-data";
  api::Dataset dataset;
  FileStamp stamp;
  FileStamp label_stamp;  // of label_path, if there is one

  std::string Key() const { return dataset.name; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("dataset", self.dataset, kRequired);
    v("stamp", self.stamp, kRequired);
    v("labelStamp", self.label_stamp);
  }
};

// kDataUnreadable.
Result<FileStamp> StampOf(const std::string& path);
// Of the file's bytes; of the data's and then the labels' where there are two files. kDataUnreadable.
Result<std::string> DigestOfData(const api::Dataset& dataset);
// Reads the files that `asked` names and fills in what is in them. kDataChanged when they change meanwhile.
Result<RegisteredFile> ReadForRegistration(const api::Dataset& asked);

// Rows that are prepared take the place of those that they were made from: a run reads its file once, and two runs that
// prepare the same data in different ways read it again in each other's turn.
class DataCache {
 public:
  // The rows, split, prepared (learn::Prepare), and with their classes numbered as in `classes`; with no classes, for a
  // regression or a clustering, the rows have none. The pointer holds until the next call. kDataChanged when the files
  // are not those that were registered; kDataNeedsPrepare as learn::Prepare says.
  Result<const learn::Split*> Load(const RegisteredFile& file, const std::vector<std::string>& classes,
                                   const api::Preparation& preparation);
  // The rows as they stand in the file, with the classes that stand there, for statistics: values may be missing, and
  // columns hold categories.
  Result<const learn::Split*> LoadRaw(const RegisteredFile& file);
  // Lets go of everything.
  void Release();

 private:
  using Columns = std::vector<api::ColumnPreparation>;
  // Makes split_ that of the file, prepared as `wanted`, or raw for nullptr.
  Result<void> Hold(const RegisteredFile& file, const Columns* wanted);
  Result<void> Read(const RegisteredFile& file, const FileStamp& stamp, const FileStamp& label_stamp);
  Result<void> UseClasses(const std::vector<std::string>& classes);

  std::optional<RegisteredFile> held_;  // what split_ was made from, with its present stamps
  std::optional<Columns> prepared_;     // how; nothing when it is raw
  std::vector<std::string> classes_;    // that the targets of split_ count
  learn::Split split_;
};

}  // namespace ote::site
