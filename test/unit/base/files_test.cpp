#include "core/base/files.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "core/base/ids.h"

namespace fs = std::filesystem;
using ote::AsBytes;
using ote::ErrorId;

namespace {

// A folder that is gone at the end of the test.
struct TestFolder {
  TestFolder() { fs::create_directories(path); }
  ~TestFolder() { fs::remove_all(path); }
  fs::path path = fs::temp_directory_path() / ote::NewId("ote-base-test");
};

// A file system of 64 KiB on `folder`, where this process may mount one: in a mount namespace of its own, so that
// nothing else on the machine sees it.
struct SmallDisk {
  explicit SmallDisk(const fs::path& folder)
      : at(folder),
        mounted(::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                ::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=64k") == 0) {}
  ~SmallDisk() {
    if (mounted) ::umount2(at.c_str(), MNT_DETACH);
  }
  fs::path at;
  bool mounted;
};

std::size_t EntriesIn(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a file is written whole, and written over whole") {
  const TestFolder folder;
  const fs::path file = folder.path / "state";
  REQUIRE(ote::WriteFileAtomic(file, AsBytes("first"), 0600).has_value());
  CHECK(ote::ReadTextFile(file).value() == "first");
  REQUIRE(ote::WriteFileAtomic(file, AsBytes("second"), 0600, ote::Durability::kBestEffort).has_value());
  CHECK(ote::ReadTextFile(file).value() == "second");
  CHECK(EntriesIn(folder.path) == 1);
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("a file that cannot be put in place leaves no temporary behind") {
  const TestFolder folder;
  fs::create_directories(folder.path / "taken" / "full");
  const auto failed = ote::WriteFileAtomic(folder.path / "taken", AsBytes("x"));
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().id == ErrorId::kFileFailed);
  CHECK(EntriesIn(folder.path) == 1);
  CHECK(ote::WriteFileAtomic(folder.path / "none" / "x", AsBytes("x")).error().id == ErrorId::kFileFailed);
}

TEST_CASE("a full disk is told from other failures, and leaves the old content and no temporary") {
  const TestFolder folder;
  const SmallDisk disk(folder.path);
  if (!disk.mounted) {
    WARN("skipped: a tmpfs cannot be mounted here");
    return;
  }
  const fs::path file = folder.path / "state";
  REQUIRE(ote::WriteFileAtomic(file, AsBytes("old")).has_value());
  const auto failed = ote::WriteFileAtomic(file, ote::Bytes(1 << 20, 7));
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().id == ErrorId::kNoSpace);
  CHECK(failed.error().message == "writing " + file.string() + ": no space left on device");
  CHECK(ote::ReadTextFile(file).value() == "old");
  CHECK(EntriesIn(folder.path) == 1);
  CHECK(ote::FreeSpace(folder.path).value() <= 64 * 1024);
}

TEST_CASE("what is read is bounded") {
  const TestFolder folder;
  const fs::path file = folder.path / "large";
  REQUIRE(ote::WriteFileAtomic(file, ote::Bytes(10'000, 7)).has_value());
  CHECK(ote::ReadFile(file, 10'000).value() == ote::Bytes(10'000, 7));
  CHECK(ote::ReadFile(file, 9'999).error().message == "reading " + file.string() + ": it is larger than 9999 bytes");
  // A file whose size the system does not tell is bounded all the same.
  CHECK(ote::ReadFile("/dev/zero", 100'000).error().id == ErrorId::kFileFailed);
  CHECK(ote::ReadTextFile("/proc/self/stat").value().size() > 10);
  REQUIRE(ote::WriteFileAtomic(file, {}).has_value());
  CHECK(ote::ReadFile(file, 0).value().empty());
}

TEST_CASE("a failure names the file and what the system said") {
  const TestFolder folder;
  const fs::path none = folder.path / "none";
  CHECK(ote::ReadFile(none).error().message == "reading " + none.string() + ": no such file or directory");
  CHECK(ote::ReadFile(folder.path).error().message == "reading " + folder.path.string() + ": is a directory");
}

TEST_CASE("a private file that others may read is refused") {
  const TestFolder folder;
  const fs::path file = folder.path / "key";
  REQUIRE(ote::WriteFileAtomic(file, AsBytes("secret"), 0600).has_value());
  CHECK(ote::AsText(ote::ReadPrivateFile(file).value()) == "secret");
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0610U}) {
    REQUIRE(::chmod(file.c_str(), mode) == 0);
    const auto refused = ote::ReadPrivateFile(file);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().id == ErrorId::kKeyFileExposed);
    CHECK(refused.error().hint == "chmod 600 " + file.string());
  }
  REQUIRE(::mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
  CHECK(ote::ReadPrivateFile(folder.path / "pipe").error().id == ErrorId::kFileFailed);
}

TEST_CASE("folders are made with their parents, and an existing one is left as it is") {
  const TestFolder folder;
  const fs::path deep = folder.path / "a" / "b" / "c";
  REQUIRE(ote::MakeFolder(deep, 0700).has_value());
  REQUIRE(ote::MakeFolder(deep / "", 0755).has_value());
  struct stat info {};
  REQUIRE(::stat(deep.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  REQUIRE(ote::WriteFileAtomic(folder.path / "file", {}).has_value());
  CHECK(ote::MakeFolder(folder.path / "file").error().id == ErrorId::kFileFailed);
  CHECK(ote::MakeFolder(folder.path / "file" / "below").error().id == ErrorId::kFileFailed);
}

TEST_CASE("free space is told for a folder that is there") {
  CHECK(ote::FreeSpace("/").has_value());
  CHECK(ote::FreeSpace("/no/such/folder").error().id == ErrorId::kFileFailed);
}
