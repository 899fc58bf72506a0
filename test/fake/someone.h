// Operators who ask from elsewhere, with keys of their own.
#pragma once

#include <string>
#include <utility>

#include "test/fake/tree.h"

namespace ote::test {

inline wire::Target Root(Tree& tree) { return {Tree::kRootEndpoint, Must(tree.Folder("hq").TransportKey()).Public()}; }

// An operator of the tree, with the key.
struct Someone {
  Someone(Tree& t, std::string n, api::OperatorRole role, std::string scope = {}, std::int64_t ttl_ms = 3'600'000)
      : tree(t), name(std::move(n)), key(crypto::TransportKey::Generate()) {
    api::OperatorRequest ask;
    ask.name = name;
    ask.role = role;
    ask.scope = std::move(scope);
    ask.ttl_ms = ttl_ms;
    ask.transport_key = crypto::ToBytes(key.Public().bytes);
    record = Must(tree.Ask<api::OperatorReply>("hq", api::verb::kOperatorCreate, ask)).record;
    tree.Settle();
  }
  template <class Reply = Json, class Body>
  Result<Reply> Ask(std::string_view what, const Body& body) {
    OTE_TRY(auto client, tree.TryClient(Root(tree), key));
    OTE_TRY(const auto answer, client.Call(what, ToJson(body), std::chrono::seconds(5)));
    if constexpr (std::is_same_v<Reply, Json>) {
      return answer.body;
    } else {
      return FromWire<Reply>(answer.body);
    }
  }
  Tree& tree;
  std::string name;
  crypto::TransportKey key;
  api::Operator record;
};

template <class T>
ErrorId Refusal(const Result<T>& result) {
  return result ? ErrorId{} : result.error().id;
}

}  // namespace ote::test
