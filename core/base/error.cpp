#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/result.h"

namespace ote {
namespace {

constexpr auto Sorted(auto rows) {
  std::sort(rows.begin(), rows.end(), [](const ErrorInfo& a, const ErrorInfo& b) { return a.id < b.id; });
  return rows;
}

constexpr auto kRows = Sorted(std::to_array<ErrorInfo>({
#define OTE_ERROR(number, name, exit, title, advice) {ErrorId::name, Exit::exit, #name, title, advice},
#include "core/base/errors.inc"
#undef OTE_ERROR
}));

static_assert(std::adjacent_find(kRows.begin(), kRows.end(),
                                 [](const ErrorInfo& a, const ErrorInfo& b) { return a.id == b.id; }) == kRows.end(),
              "two rows of errors.inc share a number");

const ErrorInfo* Find(ErrorId id) noexcept {
  const auto it = std::lower_bound(kRows.begin(), kRows.end(), id,
                                   [](const ErrorInfo& row, ErrorId want) { return row.id < want; });
  return it != kRows.end() && it->id == id ? &*it : nullptr;
}

}  // namespace

const ErrorInfo& InfoOf(ErrorId id) noexcept {
  const ErrorInfo* row = Find(id);
  return row != nullptr ? *row : *Find(ErrorId::kInternal);
}

const ErrorInfo* FindError(std::string_view code) noexcept {
  if (code.starts_with("OTE-")) code.remove_prefix(4);
  if (code.starts_with("E")) code.remove_prefix(1);
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(code.data(), code.data() + code.size(), number);
  if (error != std::errc() || end != code.data() + code.size()) return nullptr;
  return Find(static_cast<ErrorId>(number));
}

std::pair<const ErrorInfo*, std::size_t> AllErrors() noexcept { return {kRows.data(), kRows.size()}; }

std::string Error::Code() const { return fmt::format("OTE-E{:04}", static_cast<unsigned>(id)); }

Error Error::Context(std::string_view what) && {
  message.insert(0, ": ");
  message.insert(0, what);
  return std::move(*this);
}

Error Error::Hint(std::string_view text) && {
  hint = text;
  return std::move(*this);
}

}  // namespace ote
