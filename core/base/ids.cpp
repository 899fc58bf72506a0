#include "core/base/ids.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <vector>

namespace ote {

std::uint64_t RandomU64() {
  std::uint64_t value = 0;
  ssize_t got = 0;
  do {
    got = getrandom(&value, sizeof value, 0);
  } while (got < 0 && errno == EINTR);
  // Requests of up to 256 bytes are never cut short (getrandom(2)); without a source of randomness nothing is safe.
  if (got != static_cast<ssize_t>(sizeof value)) std::abort();
  return value;
}

std::string NewId(std::string_view prefix) {
  constexpr std::string_view kCrockford = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string id(prefix);
  id.push_back('-');
  std::uint64_t bits = RandomU64();
  for (int i = 0; i < 10; ++i) {
    id.push_back(kCrockford[bits & 31]);
    bits >>= 5;
  }
  return id;
}

Result<void> CheckName(std::string_view what, std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  if (!name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), allowed) && name.front() != '-' &&
      name.back() != '-') {
    return {};
  }
  std::string shown;
  for (const char c : name.substr(0, 64)) shown.push_back(c >= ' ' && c <= '~' ? c : '?');
  return Fail(ErrorId::kMalformed,
              fmt::format("{} \"{}\": a name is 1 to 63 of a-z, 0-9 and -, with no - at either end", what, shown));
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace ote
