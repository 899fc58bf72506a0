// Reads registered files, after making sure that they are still what was registered, and keeps the last one for the
// next round. Everything here is for the worker's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/api/dataset.h"
#include "core/learn/data.h"

namespace ote::agent {

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

class DataCache {
 public:
  // The rows, split, with their classes numbered as in `classes` (empty for a regression). The pointer holds until the
  // next call. kDataChanged when the files are not those that were registered.
  Result<const learn::Split*> Load(const RegisteredFile& file, const std::vector<std::string>& classes);
  // Lets go of everything.
  void Release();

 private:
  std::optional<RegisteredFile> held_;  // what split_ was made from, with its present stamps
  learn::Split split_;
};

}  // namespace ote::agent
