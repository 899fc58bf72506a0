#include "cli/frame/credential.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "test/unit/cli/harness.h"

using namespace ote;
using namespace ote::cli;

namespace {

Credential Kim() {
  Credential made{{}, crypto::TransportKey::Generate()};
  made.about.name = "kim";
  made.about.servers = {{"hq", {"tcp://127.0.0.1:7440"}, Bytes(32, 7)}};
  return made;
}

}  // namespace

TEST_CASE("a credential is read back as it was written, from a file that is the owner's alone") {
  const Harness harness;
  const auto file = harness.folder() / "kim.credential";
  const auto made = Kim();
  REQUIRE(SaveCredential(file, made));
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  const auto read = LoadCredential(file);
  REQUIRE(read);
  CHECK(read->key.Public() == made.key.Public());
  CHECK(read->about.key.empty());
  CHECK(read->about.servers.front().endpoints == made.about.servers.front().endpoints);
  std::filesystem::permissions(file, std::filesystem::perms(0644));
  CHECK(LoadCredential(file).error().id == ErrorId::kKeyFileExposed);
}

TEST_CASE("a credential with a damaged key or a field that is not known is refused") {
  const Harness harness;
  const auto file = harness.folder() / "kim.credential";
  auto text = CredentialText(Kim());
  REQUIRE(WriteFileAtomic(file, AsBytes(text + "colour: red\n"), 0600));
  CHECK(LoadCredential(file).error().id == ErrorId::kInputUnknownField);
  const auto at = text.find("key: ");
  REQUIRE(at != std::string::npos);
  text.erase(at + 5, 1);
  REQUIRE(WriteFileAtomic(file, AsBytes(text), 0600));
  CHECK(LoadCredential(file).error().id == ErrorId::kKeyFileInvalid);
}

TEST_CASE("a credential is chosen by flag, variable or context, and a state folder goes before a variable") {
  Harness harness;
  REQUIRE(SaveCredential(harness.folder() / "kim.credential", Kim()));
  const auto shown = [&harness](std::vector<std::string> more) {
    std::vector<std::string> args{"context", "show", "-o", "json"};
    args.insert(args.end(), more.begin(), more.end());
    const Outcome done = harness.Run(args);
    if (done.status != 0) return "exit " + std::to_string(done.status);
    const auto json = nlohmann::json::parse(done.out);
    const auto what = json["credential"] != "" ? json["credential"] : json["state"];
    return std::filesystem::path(what.get<std::string>()).filename().string() + " by " +
           json["origin"].get<std::string>();
  };
  CHECK(shown({"--credential", "kim.credential"}) == "kim.credential by flag --credential");
  CHECK(shown({"--credential", "kim.credential", "--state", "hq"}) == "exit 2");
  REQUIRE(harness.Run({"context", "add", "hq-kim", "kim.credential"}).status == 0);
  CHECK(harness.Run({"context", "add", "hq-kim", "kim.credential"}).status == 0);
  CHECK(shown({"--context", "hq-kim"}) == "kim.credential by context hq-kim (flag --context)");
  harness.env["OTE_CREDENTIAL"] = "kim.credential";
  CHECK(shown({}) == "kim.credential by OTE_CREDENTIAL");
  CHECK(shown({"--state", "hq"}) == "hq by flag --state");
  harness.env["OTE_STATE"] = "edge";
  CHECK(shown({}) == "edge by OTE_STATE");
  // Nothing that needs the folder of an agent here goes by a credential.
  CHECK(harness.Run({"cluster", "init", "hq", "--no-start", "--credential", "kim.credential"}).status == 2);
}
