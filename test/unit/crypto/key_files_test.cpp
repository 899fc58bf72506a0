#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "crypto/keys.h"
#include "test/unit/crypto/vectors.h"

namespace ote::crypto {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string form = (fs::temp_directory_path() / "ote-keys-XXXXXX").string();
    REQUIRE(mkdtemp(form.data()) != nullptr);
    path_ = form;
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path operator/(std::string_view name) const { return path_ / name; }

 private:
  fs::path path_;
};

std::string Content(const fs::path& path) { return *ReadTextFile(path); }
void Put(const fs::path& path, std::string_view content) { REQUIRE(WriteFileAtomic(path, AsBytes(content), 0600)); }

TEST_CASE("a saved key loads again, from a file that only its owner can read") {
  const Folder folder;
  const SigningKey signing = SigningKey::Generate();
  const TransportKey transport = TransportKey::Generate();
  REQUIRE(SaveSigningKey(folder / "sign", signing));
  REQUIRE(SaveTransportKey(folder / "link", transport));
  CHECK(LoadSigningKey(folder / "sign")->Public() == signing.Public());
  CHECK(LoadTransportKey(folder / "link")->Public() == transport.Public());
  for (const std::string_view name : {"sign", "link"}) {
    struct stat info {};
    REQUIRE(stat((folder / name).c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
  }
}

TEST_CASE("a key file is one line that names its kind") {
  const Folder folder;
  const auto signing = SigningKey::FromSeed(Bytes(32, 0));
  REQUIRE(SaveSigningKey(folder / "sign", *signing));
  CHECK(Content(folder / "sign") == "ote-signing-key-v1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
  REQUIRE(SaveTransportKey(folder / "link", *TransportKey::FromSecret(Bytes(32, 255))));
  CHECK(Content(folder / "link") == "ote-transport-key-v1 __________________________________________8\n");
}

TEST_CASE("a key file that others can reach is refused with the command that mends it") {
  const Folder folder;
  REQUIRE(SaveSigningKey(folder / "sign", SigningKey::Generate()));
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0660U, 0777U, 0610U}) {
    REQUIRE(chmod((folder / "sign").c_str(), mode) == 0);
    const auto key = LoadSigningKey(folder / "sign");
    REQUIRE(Outcome(key) == "kKeyFileExposed");
    CHECK(key.error().hint == "chmod 600 " + (folder / "sign").string());
    CHECK(key.error().ExitStatus() == Exit::kRefused);
  }
  REQUIRE(chmod((folder / "sign").c_str(), 0400) == 0);
  CHECK(LoadSigningKey(folder / "sign"));
}

TEST_CASE("a key file is never overwritten, not even a dangling link in its place") {
  const Folder folder;
  const SigningKey first = SigningKey::Generate();
  REQUIRE(SaveSigningKey(folder / "sign", first));
  CHECK(Outcome(SaveSigningKey(folder / "sign", SigningKey::Generate())) == "kConflict");
  CHECK(Outcome(SaveTransportKey(folder / "sign", TransportKey::Generate())) == "kConflict");
  CHECK(LoadSigningKey(folder / "sign")->Public() == first.Public());
  fs::create_symlink(folder / "nowhere", folder / "link");
  CHECK(Outcome(SaveSigningKey(folder / "link", first)) == "kConflict");
  CHECK_FALSE(fs::exists(folder / "nowhere"));
}

TEST_CASE("a key of one kind is not taken for the other") {
  const Folder folder;
  REQUIRE(SaveSigningKey(folder / "sign", SigningKey::Generate()));
  REQUIRE(SaveTransportKey(folder / "link", TransportKey::Generate()));
  const auto wrong = LoadTransportKey(folder / "sign");
  REQUIRE(Outcome(wrong) == "kKeyFileInvalid");
  CHECK(wrong.error().message.find("it is an ote-signing-key, where an ote-transport-key is wanted") !=
        std::string::npos);
  CHECK(Outcome(LoadSigningKey(folder / "link")) == "kKeyFileInvalid");
}

TEST_CASE("a key file cut short anywhere is refused, but for its newline") {
  const Folder folder;
  const SigningKey key = SigningKey::Generate();
  REQUIRE(SaveSigningKey(folder / "sign", key));
  const std::string whole = Content(folder / "sign");
  for (std::size_t n = 0; n + 1 < whole.size(); ++n) {
    Put(folder / "cut", std::string_view(whole).substr(0, n));
    CHECK(Outcome(LoadSigningKey(folder / "cut")) == "kKeyFileInvalid");
  }
  Put(folder / "cut", std::string_view(whole).substr(0, whole.size() - 1));
  CHECK(LoadSigningKey(folder / "cut")->Public() == key.Public());
}

TEST_CASE("a damaged key file is refused and its content is not shown") {
  const Folder folder;
  const std::string good = "ote-signing-key-v1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  for (const std::string& text :
       {good + "A\n", good + "=\n", good + "\n\n", good + "\r\n", " " + good, good.substr(0, 61) + "B",
        good.substr(0, 61) + "*", "ote-signing-key-v2" + good.substr(18), std::string("hunter2"),
        std::string(300, 'A')}) {
    Put(folder / "key", text);
    const auto key = LoadSigningKey(folder / "key");
    CAPTURE(text);
    REQUIRE(Outcome(key) == "kKeyFileInvalid");
    CHECK(key.error().message.find("AAAA") == std::string::npos);
    CHECK(key.error().message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("a key file that is missing or is a folder says so") {
  const Folder folder;
  CHECK(Outcome(LoadSigningKey(folder / "none")) == "kFileFailed");
  fs::create_directory(folder / "dir");
  CHECK(Outcome(LoadSigningKey(folder / "dir")) == "kFileFailed");
  CHECK(Outcome(SaveSigningKey(folder / "none/sign", SigningKey::Generate())) == "kFileFailed");
}

}  // namespace
}  // namespace ote::crypto
