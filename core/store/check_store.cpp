#include "core/store/check_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "core/store/database.h"

namespace ote::store {

Result<void> CheckStore(const std::filesystem::path& file) {
  constexpr int kBusyMillis = 5000;
  try {
    SQLite::Database db(file.string(), SQLite::OPEN_READONLY, kBusyMillis);
    SQLite::Statement check(db, "PRAGMA quick_check(1)");
    const std::string said = check.executeStep() ? check.getColumn(0).getString() : "no answer";
    if (said == "ok") return {};
    return Fail(ErrorId::kStoreCorrupt, fmt::format("{}: {}", file.string(), said));
  } catch (const std::exception& thrown) {
    return Fail(DatabaseError(fmt::format("cannot read {}", file.string()), thrown));
  }
}

}  // namespace ote::store
