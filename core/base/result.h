// Errors are values: every function that can fail returns Result<T>.
//
// An Error names what failed with an ErrorId, which fixes the exit status and the page of `ote explain`; a message that
// reads `<what failed>: <why>` in lower case with no full stop; and a hint, the command to run next, when there is one.
// Each layer adds what it was doing with Context(). Assertions are for bugs, never for input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace ote {

// The exit statuses of `ote`; the one table (cli.md, ote(1)).
enum class Exit : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kTimedOut = 3,
  kRefused = 4,
  kUnreachable = 5,
  kConflict = 6,
  kNotFound = 7,
  kVerification = 8,
  kPartly = 9,
  kBug = 70,
  kInterrupted = 130,
};

// Every way to fail that a user can look up; the table is errors.inc.
enum class ErrorId : std::uint16_t {
#define OTE_ERROR(number, name, exit, title, advice) name = number,
#include "core/base/errors.inc"
#undef OTE_ERROR
};

struct ErrorInfo {
  ErrorId id;
  Exit exit;
  std::string_view name;    // kTokenExpired
  std::string_view title;   // one line
  std::string_view advice;  // a paragraph for `ote explain`
};

// The row of `id`; kInternal's row for a number that is not in the table (a newer peer's error).
const ErrorInfo& InfoOf(ErrorId id) noexcept;
// Looks up `E0123`, `OTE-E0123` or `123`; nullptr when there is none.
const ErrorInfo* FindError(std::string_view code) noexcept;
// All rows, in the order of their numbers.
std::pair<const ErrorInfo*, std::size_t> AllErrors() noexcept;

struct [[nodiscard]] Error {
  ErrorId id{};
  std::string message;
  std::string hint;

  // "OTE-E0123"
  std::string Code() const;
  Exit ExitStatus() const noexcept { return InfoOf(id).exit; }
  // Puts `what` and a colon in front of the message; returns itself, so that it can stand in a return statement.
  Error Context(std::string_view what) &&;
  Error Hint(std::string_view text) &&;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

// return Fail(ErrorId::kNotFound, "cluster clinic-a: not a member", "ote cluster list");
inline tl::unexpected<Error> Fail(ErrorId id, std::string message, std::string hint = {}) {
  return tl::unexpected<Error>(Error{id, std::move(message), std::move(hint)});
}
inline tl::unexpected<Error> Fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

#define OTE_CAT_(a, b) a##b
#define OTE_CAT(a, b) OTE_CAT_(a, b)
// Returns the error of `expr` (a Result) from the calling function, or goes on.
#define OTE_CHECK(expr)                                  \
  do {                                                   \
    if (auto ote_check_ = (expr); !ote_check_) {         \
      return ::ote::Fail(std::move(ote_check_).error()); \
    }                                                    \
  } while (false)
// OTE_TRY(auto x, F()): x is the value of F(), or the calling function returns F()'s error.
#define OTE_TRY(decl, expr) OTE_TRY_(OTE_CAT(ote_try_, __LINE__), decl, expr)
#define OTE_TRY_(name, decl, expr)                        \
  auto name = (expr);                                     \
  if (!name) return ::ote::Fail(std::move(name).error()); \
  decl = std::move(*name)

}  // namespace ote
