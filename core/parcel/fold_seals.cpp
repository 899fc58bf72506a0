#include "core/parcel/fold_seals.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "core/base/codec.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

namespace ote::parcel {
namespace {

constexpr std::size_t kStreamKey = 32;

Bytes WorkContext(const std::string& run, std::int64_t round, const std::string& relay) {
  return DumpCbor(Json::array({"ote-fold-work-v1", run, round, relay}));
}
Bytes SumContext(const std::string& run, std::int64_t round, const std::string& relay, const std::string& digest) {
  return DumpCbor(Json::array({"ote-fold-sum-v1", run, round, relay, digest}));
}

Result<void> Check(const api::FoldWork& work) {
  const auto no = [](std::string_view why) {
    return Fail(ErrorId::kMalformed, "updates to fold: " + std::string(why));
  };
  const bool grid = work.masked ? work.exponent == 0 && work.capacity == 0 : work.exponent >= 0 && work.capacity >= 1;
  if (work.count < 1 || !grid) return no("the grid is none");
  if (work.vectors < 1 || work.count % work.vectors != 0 || work.size < 1) return no("the form is none");
  if (work.compression) OTE_CHECK(api::Validate(*work.compression));
  if (work.masked && (work.compression || work.vectors != 1)) return no("what is masked has one form alone");
  std::set<std::string_view> sites;
  for (const auto& item : work.items) {
    if (!sites.insert(item.site).second) return no("a site stands there twice");
    if (!crypto::Digest::Parse(item.digest) || !crypto::Digest::Parse(item.copy.digest)) return no("a digest is none");
    const bool weight = work.masked ? item.weight == 1 : item.weight >= 1;
    if (item.key.size() != kStreamKey || !weight) return no("a key or a weight is none");
    const auto size = crypto::SealedSize(static_cast<std::uint64_t>(work.size));
    if (!std::cmp_equal(item.copy.size, size)) return no("an update has another size");
  }
  return {};
}

}  // namespace

Result<api::FoldRequest> SealWork(const api::FoldWork& work, const std::string& relay,
                                  const crypto::TransportPublic& to) {
  Bytes plain = ToCbor(work);
  auto sealed = crypto::Seal(to, WorkContext(work.run, work.round, relay), plain);
  crypto::Wipe(plain);
  if (!sealed) return Fail(std::move(sealed).error());
  return api::FoldRequest{work.run, work.round, std::move(*sealed), {}, false};
}

Result<api::FoldWork> OpenWork(const api::FoldRequest& request, const std::string& relay,
                               const crypto::TransportKey& key) {
  OTE_TRY(auto plain, crypto::OpenSealed(key, WorkContext(request.run, request.round, relay), request.work));
  auto work = FromCbor<api::FoldWork>(plain);
  crypto::Wipe(plain);
  if (!work) return Fail(ErrorId::kMalformed, "updates to fold: " + work.error().message);
  if (work->run != request.run || work->round != request.round) {
    return Fail(ErrorId::kMalformed, "updates to fold: they are of another round");
  }
  OTE_CHECK(Check(*work));
  return work;
}

Result<crypto::Sealer> SealerOfSum(const api::FoldWork& work, const std::string& relay, const std::string& digest) {
  crypto::TransportPublic to;
  if (work.answer_key.size() != to.bytes.size()) return Fail(ErrorId::kSealBroken, "the run's key is none");
  std::copy(work.answer_key.begin(), work.answer_key.end(), to.bytes.begin());
  return crypto::Sealer::To(to, SumContext(work.run, work.round, relay, digest));
}

Result<crypto::Opener> OpenerOfSum(const std::string& run, std::int64_t round, const std::string& relay,
                                   const std::string& digest, const crypto::TransportKey& answer_key, ByteView header) {
  return crypto::Opener::For(answer_key, SumContext(run, round, relay, digest), header);
}

}  // namespace ote::parcel
