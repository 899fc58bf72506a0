// fuzz-link: ote_api
// Lists of operators: no crash over any bytes, signed or not; an accepted list has each name and each key once, and can
// be issued again as it is.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "core/api/operator.h"
#include "core/base/ids.h"

namespace {

using namespace ote;

const crypto::SigningKey& Authority() {
  static const crypto::SigningKey key = [] {
    Bytes seed(32);
    for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::uint8_t>(i);
    return std::move(*crypto::SigningKey::FromSeed(seed));
  }();
  return key;
}

void Require(bool holds) {
  if (!holds) std::abort();
}

void Check(const api::OperatorList& list) {
  const auto body = api::CheckOperatorList(list, Authority().Public(), 3);
  if (!body) {
    Require(body.error().id == ErrorId::kSignatureInvalid || body.error().id == ErrorId::kConflict);
    return;
  }
  Require(body->number >= 3);
  std::set<std::string> names;
  std::set<Bytes> keys;
  for (const auto& item : body->items) {
    Require(CheckName("operator", item.name).has_value() && item.name != api::kLocalOperator);
    Require(names.insert(item.name).second && keys.insert(item.transport_key).second);
    Require(item.transport_key.size() == 32);
  }
  const auto again = api::IssueOperatorList(Authority(), *body);
  Require(!again || api::CheckOperatorList(*again, Authority().Public(), body->number).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input{data, size};
  if (const auto list = FromCbor<api::OperatorList>(input)) Check(*list);

  api::OperatorList list;
  list.body.assign(input.begin(), input.end());
  const auto signature = Authority().Sign("ote-operators-v1", input);
  list.signature.assign(signature.begin(), signature.end());
  Check(list);
  return 0;
}
