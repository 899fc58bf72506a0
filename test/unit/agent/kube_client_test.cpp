// The client of the Kubernetes API, against a server in a process of its own.
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "agent/shim/kubernetes/transfer.h"
#include "test/fake/kube/kube_server.h"

using namespace ote;
using namespace ote::kube;

TEST_CASE("a server is spoken to with certificates, tokens, token files and plugins") {
  KubeServer server;
  for (const char* context : {"cert", "token", "file", "exec", "named"}) {
    INFO(context);
    Client client(server.Load(context));
    const auto answer = Call(client, Get("/version"));
    REQUIRE(answer);
    CHECK(answer->status == 200);
  }
}

TEST_CASE("a server whose certificate does not fit is not spoken to") {
  KubeServer server;
  for (const char* context : {"untrusted", "misnamed"}) {
    INFO(context);
    Client client(server.Load(context));
    Request request = Get("/version");
    request.patience = std::chrono::seconds(5);
    const auto answer = Call(client, std::move(request));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().id == ErrorId::kKubeConfig);
  }
  CHECK(server.Seen().empty());
}

TEST_CASE("a wrong token is refused after it was read once more") {
  KubeServer server;
  Client client(server.Load("wrong"));
  const auto answer = CallJson(client, Get("/version"), "the version");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().id == ErrorId::kKubeRefused);
  CHECK(server.Seen().size() == 2);
}

TEST_CASE("a token that was rotated is read again when the old one is refused") {
  KubeServer server;
  Client client(server.Load("file"));
  REQUIRE(Call(client, Get("/version")));
  server.Control("set", {{"token", "rotated"}});
  std::ofstream(server.Folder() / "token") << "rotated";
  const auto answer = Call(client, Get("/version"));
  REQUIRE(answer);
  CHECK(answer->status == 200);
}

TEST_CASE("what may be tried again is, and no sooner than the server asks for") {
  KubeServer server;
  Client client(server.Load("token"));
  server.Fault("GET /version", 1, {{"status", 429}, {"headers", Json::array({Json::array({"Retry-After", "1"})})}});
  const auto before = std::chrono::steady_clock::now();
  CHECK(Call(client, Get("/version"))->status == 200);
  CHECK(std::chrono::steady_clock::now() - before >= std::chrono::seconds(1));
  server.Fault("GET /version", 2, {{"status", 503}});
  CHECK(Call(client, Get("/version"))->status == 200);
  server.Fault("GET /version", 1, {{"cut", true}});
  CHECK(Call(client, Get("/version"))->status == 200);
}

TEST_CASE("a server that stays away is told when the patience ends") {
  KubeServer server;
  Client client(server.Load("token"));
  server.Fault("GET /version", 1000, {{"status", 503}});
  Request request = Get("/version");
  request.patience = std::chrono::milliseconds(1500);
  const auto answer = CallJson(client, std::move(request), "the version");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().id == ErrorId::kKubeUnreachable);
}

TEST_CASE("an answer that is larger than asked for is not taken") {
  KubeServer server;
  Client client(server.Load("token"));
  Request request = Get("/api/v1/nodes");
  request.limit = 100;
  const auto answer = Call(client, std::move(request));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().id == ErrorId::kKubeFailed);
}

TEST_CASE("whoever waits for an answer gets one when the client stops") {
  KubeServer server;
  Client client(server.Load("token"));
  server.Fault("GET /version", 1000, {{"status", 503}});
  std::jthread stopper([&client] { client.Stop(); });
  CHECK_FALSE(Call(client, Get("/version")));
  stopper.join();
  CHECK_FALSE(Call(client, Get("/version")));
}

TEST_CASE("requests come no faster than the bucket fills") {
  TokenBucket bucket(20, 40);
  std::chrono::milliseconds now(1000);
  int taken = 0;
  while (bucket.Take(now).count() == 0) ++taken;
  CHECK(taken == 40);
  CHECK(bucket.Take(now + std::chrono::milliseconds(49)).count() > 0);
  CHECK(bucket.Take(now + std::chrono::milliseconds(51)).count() == 0);
}
