// The kubernetes shim as an agent drives it, against a server in a process of its own.
#pragma once

#include <catch2/catch.hpp>

#include "agent/shim/shim.h"
#include "test/fake/kube/kube_server.h"

namespace ote::kube {

struct ShimFixture {
  KubeServer server;
  Posts posts;
  std::map<std::string, api::AppStatus> apps;
  std::optional<api::ShimStatus> cluster;
  std::vector<api::ClusterEvent> events;
  std::unique_ptr<agent::Shim> shim;

  ShimFixture() { server.Control("set", {{"split", 7}}); }
  ~ShimFixture() { shim.reset(); }

  void Start(const std::vector<api::Assignment>& wanted = {}) {
    agent::ShimContext context;
    context.folder = server.Folder() / "shim";
    context.rest = server.Rest("token");
    context.artifact = [](const std::string&) -> Result<std::filesystem::path> {
      return Fail(ErrorId::kNotFound, "no such file");
    };
    context.post = [this](std::function<void()> fn) { posts.Post(std::move(fn)); };
    auto made = agent::MakeKubernetesShim(std::move(context));
    REQUIRE(made);
    shim = std::move(*made);
    agent::Shim::Hooks hooks;
    hooks.app = [this](const api::AppStatus& status) { apps[status.Key()] = status; };
    hooks.cluster = [this](const api::ShimStatus& status) { cluster = status; };
    hooks.happened = [this](const api::ClusterEvent& event) { events.push_back(event); };
    REQUIRE(shim->Start(std::move(hooks), wanted));
  }
  Result<void> Wait(const std::function<void(agent::Shim::Done)>& call) {
    std::optional<Result<void>> result;
    call([&result](Result<void> r) { result = std::move(r); });
    REQUIRE(posts.Until([&result] { return result.has_value(); }));
    return std::move(*result);
  }
  Result<void> Apply(const api::Assignment& a) {
    return Wait([&](agent::Shim::Done done) { shim->Apply(a, std::move(done)); });
  }
  bool UntilPhase(const std::string& key, api::AppPhase phase) {
    return posts.Until([&] { return apps.contains(key) && apps[key].phase == phase; });
  }
  static api::Assignment Web(int replicas, int revision = 1) {
    api::Assignment a;
    a.app = "web";
    a.revision = revision;
    a.workload.image = "i:1";
    a.workload.replicas = replicas;
    a.digest = api::DigestOf(a.workload);
    return a;
  }
  Json Deployment() { return server.Object("/apis/apps/v1/namespaces/default/deployments/web"); }
  void Put(const std::string& plural, const std::string& ns, const Json& object) {
    server.Control("put", {{"plural", plural}, {"namespace", ns}, {"object", object}});
  }
};

}  // namespace ote::kube
