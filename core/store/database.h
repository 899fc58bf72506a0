// Opens the SQLite file of a store and brings its schema up to date. The only header here with a SQLite type; nothing
// but store.cpp and database.cpp includes it.
#pragma once

#include <SQLiteCpp/Database.h>

#include <exception>
#include <filesystem>
#include <string_view>

#include "core/base/result.h"

namespace ote::store {

// As Store::Open says. May throw SQLite's exceptions.
Result<SQLite::Database> OpenDatabase(const std::filesystem::path& file);
Result<SQLite::Database> OpenMemoryDatabase();

// What SQLite threw, as an error of the store.
Error DatabaseError(std::string_view doing, const std::exception& thrown);

}  // namespace ote::store
