#include "core/api/operator.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/ids.h"

namespace ote::api {
namespace {

constexpr std::string_view kDomain = "ote-operators-v1";
constexpr std::size_t kLongestScope = 4096;
constexpr std::size_t kLongestRequest = 256;

tl::unexpected<Error> Invalid(std::string_view why) {
  return Fail(ErrorId::kSignatureInvalid, fmt::format("operator list: {}", why));
}

Result<void> CheckForm(const OperatorBody& body) {
  if (body.number < 0) return Invalid("its number is negative");
  if (body.items.size() > kMostOperators) return Invalid("it holds more operators than any does");
  std::set<Bytes> keys;
  const std::string* before = nullptr;
  for (const auto& item : body.items) {
    if (const auto name = CheckName("operator", item.name); !name) return Invalid(name.error().message);
    if (item.name == kLocalOperator) return Invalid("nobody on it may be called local");
    // A name twice, or a key twice, would make two of one.
    if (before != nullptr && *before >= item.name) return Invalid("its names are not in ascending order");
    before = &item.name;
    if (item.transport_key.size() != 32) return Invalid(fmt::format("the key of {} has not 32 bytes", item.name));
    if (!keys.insert(item.transport_key).second) return Invalid(fmt::format("the key of {} is another's", item.name));
    if (item.scope.size() > kLongestScope || item.request_id.size() > kLongestRequest)
      return Invalid(fmt::format("what it says of {} is too long", item.name));
  }
  return {};
}

}  // namespace

Result<OperatorList> IssueOperatorList(const crypto::SigningKey& authority, const OperatorBody& body) {
  OperatorBody signed_body = body;
  std::ranges::sort(signed_body.items, {}, &Operator::name);
  signed_body.authority = crypto::ToBytes(crypto::FingerprintOf(authority.Public()));
  if (auto formed = CheckForm(signed_body); !formed) {
    return Fail(ErrorId::kUsage, formed.error().message);
  }
  OperatorList list;
  list.body = ToCbor(signed_body);
  if (list.body.size() > kMostOperatorBytes) {
    return Fail(ErrorId::kUsage,
                fmt::format("operator list: {} operators take {} bytes, and there is room for {}", body.items.size(),
                            list.body.size(), kMostOperatorBytes),
                "revoke those that are not needed, or shorten their scopes");
  }
  const auto signature = authority.Sign(kDomain, list.body);
  list.signature.assign(signature.begin(), signature.end());
  return list;
}

Result<OperatorBody> CheckOperatorList(const OperatorList& list, const crypto::VerifyKey& authority,
                                       std::int64_t at_least) {
  if (list.body.size() > kMostOperatorBytes)
    return Invalid(fmt::format("it has {} bytes, more than any has", list.body.size()));
  if (const auto verified = crypto::Verify(authority, kDomain, list.body, list.signature); !verified)
    return Invalid("its signature is not the authority's");
  auto body = FromCbor<OperatorBody>(list.body);
  if (!body) return Invalid(body.error().message);
  if (!std::ranges::equal(body->authority, crypto::FingerprintOf(authority)))
    return Invalid("it names another authority than the one that signed it");
  OTE_CHECK(CheckForm(*body));
  if (body->number < at_least) {
    return Fail(ErrorId::kConflict, fmt::format("operator list: it is number {}, older than number {} that is held",
                                                body->number, at_least));
  }
  return body;
}

}  // namespace ote::api
