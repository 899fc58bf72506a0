// The readers of the file formats, one for each; ParseTable (data.h) chooses among them. None trusts a count in the
// bytes for an allocation: what they allocate is bounded by the size of what they are given.
#pragma once

#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/learn/data.h"

namespace ote::learn {

// Whether the bytes begin as a gzip file (RFC 1952).
bool IsGzip(ByteView bytes) noexcept;
// All members of a gzip file; kDataBadFormat when it is damaged, has trailing bytes or would be larger than `limit`.
Result<Bytes> Gunzip(ByteView bytes, std::uint64_t limit, std::string_view name);

// Whether a NaN is a value that is missing, or a fault.
enum class NotThere { kRefused, kAllowed };
// Whether `text` stands for a value that is missing, and one may be.
bool IsMissing(const DataSource& source, std::string_view text);

// RFC 4180 with a header line.
Result<Table> ParseCsv(std::string_view text, const DataSource& source, std::string_view name);
// "label index:value …", indices from 1 and ascending, what is left out is 0; a # begins a comment.
Result<Table> ParseLibsvm(std::string_view text, const DataSource& source, std::string_view name);

// An array of numbers as it stands in an idx or npy file, made float.
struct Array {
  std::vector<std::int64_t> shape;  // at least one dimension
  std::vector<float> values;        // row-major; all finite, or NaN where that is allowed
};
// The format of the MNIST files: 0, 0, type, dimensions, big-endian.
Result<Array> ParseIdx(ByteView bytes, std::string_view name, NotThere missing = NotThere::kRefused);
// NumPy's format, versions 1 to 3: little-endian numbers in C order.
Result<Array> ParseNpy(ByteView bytes, std::string_view name, NotThere missing = NotThere::kRefused);
// Puts an array of features and one of labels together.
Result<Table> TableOf(Array features, const Array& labels, const DataSource& source, std::string_view name,
                      std::string_view label_name);

// kDataTooSmall for a table without rows; the table otherwise.
Result<Table> NotEmpty(Table table, std::string_view name);

}  // namespace ote::learn
