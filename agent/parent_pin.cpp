#include "agent/parent_pin.h"

#include <fmt/format.h>

#include "core/base/log.h"

namespace ote::agent {
namespace {

constexpr std::string_view kKind = "parent-key";

struct Known {
  Bytes key;
  BigId serial;  // of the certificate that named it

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("key", self.key, kRequired);
    v("serial", self.serial, kRequired);
  }
};

std::optional<Known> Load(Context& context) {
  const auto kept = context.store.GetDoc(kKind, "");
  if (!kept || !*kept) return std::nullopt;
  auto known = FromCbor<Known>(**kept);
  if (!known || known->key.size() != 32) return std::nullopt;
  return std::move(*known);
}

bool IsVoid(const store::Membership& member, BigId serial) {
  if (!member.revocations) return false;
  const auto list = crypto::CheckRevocationList(*member.revocations, member.AuthorityKey(), 0);
  return list && list->Contains(serial);
}

}  // namespace

Result<void> ParentPin::Take(const crypto::Certificate& certificate) {
  const auto& member = context_.membership;
  if (!member.parent) return Fail(ErrorId::kPermission, "this cluster has no parent");
  OTE_TRY(const auto own, member.Own());
  OTE_TRY(const auto issued, crypto::CheckCertificateSignature(certificate, member.AuthorityKey()));
  if (issued.name != own.parent) {
    return Fail(ErrorId::kCertificateInvalid,
                fmt::format("a key of {}, and the parent is {}", issued.name, own.parent));
  }
  if (IsVoid(member, issued.serial)) return Fail(ErrorId::kCertificateInvalid, "the parent's certificate is void");
  const auto known = Load(context_);
  if (known && issued.serial < known->serial) {
    return Fail(ErrorId::kCertificateInvalid, "the parent's certificate is older than one that is known");
  }
  const bool same = known ? known->key == issued.transport_key : issued.transport_key == member.parent->transport_key;
  if (same) return {};
  log::Info("the parent will have another key", {{"parent", issued.name}, {"serial", issued.serial.value}});
  return context_.store.PutDoc(kKind, "", ToCbor(Known{issued.transport_key, issued.serial}));
}

std::vector<Bytes> ParentPin::Keys() const {
  const auto& pinned = context_.membership.parent->transport_key;
  const auto known = Load(context_);
  // One that was followed by another while this cluster was away, and joined again, is void.
  if (!known || known->key == pinned || IsVoid(context_.membership, known->serial)) return {pinned};
  return {known->key, pinned};
}

bool ParentPin::Shown(const Bytes& key) {
  auto member = context_.membership;
  if (!member.parent || member.parent->transport_key == key) return false;
  const auto known = Load(context_);
  if (!known || known->key != key || IsVoid(member, known->serial)) return false;
  // The serial stays in the store, so that no older certificate is taken.
  member.parent->transport_key = key;
  if (auto saved = context_.folder.SaveMembership(member); !saved) {
    log::Error("the parent's key is not saved", {{"why", saved.error().message}});
    return false;
  }
  context_.membership = std::move(member);
  log::Info("the parent has changed its key", {});
  return true;
}

}  // namespace ote::agent
