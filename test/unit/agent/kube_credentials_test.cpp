// Kubeconfig files, service accounts and credential plugins.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/shim/kubernetes/credentials.h"

using namespace ote;
using namespace ote::kube;

namespace {

class Folder {
 public:
  Folder() {
    std::string made = (std::filesystem::temp_directory_path() / "ote-kube-XXXXXX").string();
    REQUIRE(::mkdtemp(made.data()) != nullptr);
    path = made;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(path / name) << text; }
  std::filesystem::path path;
};

std::string Config(const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {cluster: c, user: u, "
         "namespace: edge}\nclusters:\n- name: c\n  cluster: {" +
         cluster + "}\nusers:\n- name: u\n  user: {" + user + "}\n";
}

Result<Credentials> Parse(const std::string& text, const std::string& context = "") {
  return ParseKubeconfig(text, "/k", context, "/");
}
std::string WhyNot(const std::string& cluster, const std::string& user) {
  const auto parsed = Parse(Config(cluster, user));
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().id == ErrorId::kKubeConfig);
  return parsed.error().message;
}

}  // namespace

TEST_CASE("a kubeconfig gives server, CA, names and token of a context") {
  const auto c =
      Parse(Config("server: 'https://h:6443/', certificate-authority-data: Q0E=, tls-server-name: n, "
                   "proxy-url: 'http://p:1'",
                   "token: abc"));
  REQUIRE(c);
  CHECK(c->server == "https://h:6443");
  CHECK(c->ca == "CA");
  CHECK(c->server_name == "n");
  CHECK(c->proxy == "http://p:1");
  CHECK(c->name_space == "edge");
  CHECK(AsText(c->token.View()) == "abc");
  const auto none = Parse(Config("server: 'https://h'", "token: abc"), "b");
  REQUIRE_FALSE(none);
  CHECK(none.error().message == "/k#b: there is no such context");
}

TEST_CASE("a server that is not to be verified, or not spoken to by TLS, is refused") {
  CHECK_THAT(WhyNot("server: 'https://h', insecure-skip-tls-verify: true", "token: a"),
             Catch::Contains("insecure-skip-tls-verify"));
  CHECK_THAT(WhyNot("server: 'http://h'", "token: a"), Catch::Contains("https"));
}

TEST_CASE("no error about a kubeconfig shows what is secret in it") {
  CHECK_THAT(WhyNot("server: 'https://h'", "client-key-data: '!hunter2!', client-certificate-data: QQ=="),
             !Catch::Contains("hunter2"));
  CHECK_THAT(WhyNot("server: 'https://h'", "username: hunter2, password: hunter2"), !Catch::Contains("hunter2"));
  const auto broken = Parse("kind: Config\nusers: [{token: hunter2\n");
  REQUIRE_FALSE(broken);
  CHECK_THAT(broken.error().message, !Catch::Contains("hunter2"));
}

TEST_CASE("a certificate without a key is refused, and so is acting as somebody else") {
  CHECK_THAT(WhyNot("server: 'https://h'", "client-certificate-data: QQ=="), Catch::Contains("go together"));
  CHECK_THAT(WhyNot("server: 'https://h'", "token: a, as: root"), Catch::Contains("somebody else"));
}

TEST_CASE("the token of a service account is read again when it rotates") {
  const Folder folder;
  folder.Write("token", "one\n");
  folder.Write("ca.crt", "CA");
  folder.Write("namespace", "edge");
  const auto c = InCluster(folder.path, "fd00::1", "443");
  REQUIRE(c);
  CHECK(c->server == "https://[fd00::1]:443");
  CHECK(c->name_space == "edge");
  const auto first = Authenticate(*c, 1'000'000);
  REQUIRE(first);
  CHECK(AsText(first->token.View()) == "one");
  CHECK(first->until > 1'000'000);
  CHECK(first->until <= 1'060'000);
  folder.Write("token", "two\n");
  CHECK(AsText(Authenticate(*c, 1'060'000)->token.View()) == "two");
}

TEST_CASE("a credential plugin is run with what it may know, and its answer taken until it expires") {
  const Folder folder;
  folder.Write("plugin",
               "#!/bin/sh\n[ \"$1 $ZONE\" = 'get a' ] || exit 3\ncase $KUBERNETES_EXEC_INFO in *https://h*) ;; *) exit "
               "4;; esac\necho '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\","
               "\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"1970-01-01T00:01:00Z\"}}'\n");
  std::filesystem::permissions(folder.path / "plugin", std::filesystem::perms::owner_all);
  const auto c = ParseKubeconfig(
      Config("server: 'https://h'",
             "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [get], env: [{name: ZONE, "
             "value: a}], provideClusterInfo: true}"),
      "/k", "", folder.path);
  REQUIRE(c);
  const auto auth = Authenticate(*c, 0);
  REQUIRE(auth);
  CHECK(AsText(auth->token.View()) == "t");
  CHECK(auth->until == 60'000);
}

TEST_CASE("a credential plugin that fails is told with its name and status, without what it printed") {
  const Folder folder;
  folder.Write("plugin", "#!/bin/sh\necho hunter2\nexit 7\n");
  std::filesystem::permissions(folder.path / "plugin", std::filesystem::perms::owner_all);
  const auto c = ParseKubeconfig(
      Config("server: 'https://h'", "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}"), "/k", "",
      folder.path);
  REQUIRE(c);
  const auto auth = Authenticate(*c, 0);
  REQUIRE_FALSE(auth);
  CHECK_THAT(auth.error().message, Catch::Contains("status 7") && !Catch::Contains("hunter2"));
  CHECK_FALSE(ParseExecCredential("{}", "client.authentication.k8s.io/v1"));
}

TEST_CASE("a credential plugin that hangs is killed when the agent stops") {
  const Folder folder;
  folder.Write("plugin", "#!/bin/sh\nexec sleep 1000\n");
  std::filesystem::permissions(folder.path / "plugin", std::filesystem::perms::owner_all);
  const auto c = ParseKubeconfig(
      Config("server: 'https://h'", "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin}"), "/k", "",
      folder.path);
  REQUIRE(c);
  std::stop_source source;
  std::thread stopper([&source] { source.request_stop(); });
  const auto auth = Authenticate(*c, 0, source.get_token());
  stopper.join();
  REQUIRE_FALSE(auth);
  CHECK_THAT(auth.error().message, Catch::Contains("failed with status -1"));
}
