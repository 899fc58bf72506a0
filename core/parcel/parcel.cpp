#include "core/parcel/parcel.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypto/digest.h"
#include "crypto/sealed.h"
#include "crypto/secret.h"

namespace ote::parcel {
namespace {

constexpr std::string_view kSignDomain = "ote-parcel-v1";
constexpr std::string_view kSealDomain = "ote-parcel-body-v1";

tl::unexpected<Error> Malformed(std::string_view why) {
  return Fail(ErrorId::kParcelMalformed, fmt::format("a parcel: {}", why));
}

// "a task of run run-1, round 3, from hq"
std::string NameOf(const Head& head) {
  return fmt::format("{} of run {}, round {}, from {}", head.kind == Kind::kTask ? "a task" : "an offer", head.run,
                     head.round, head.issuer);
}

// The body is good under this head alone.
Bytes ContextOf(ByteView head) {
  Bytes context(kSealDomain.begin(), kSealDomain.end());
  context.push_back(0);
  context.insert(context.end(), head.begin(), head.end());
  return context;
}

Bytes Signed(ByteView head, ByteView body) {
  Bytes message;
  for (std::size_t i = 0; i < 8; ++i)
    message.push_back(static_cast<std::uint8_t>(std::uint64_t{head.size()} >> (8 * i)));
  message.insert(message.end(), head.begin(), head.end());
  const auto digest = crypto::DigestOf(body);
  message.insert(message.end(), digest.bytes.begin(), digest.bytes.end());
  return message;
}

template <class Content>
Result<Parcel> PackWith(Head head, const Content& content, const Issuer& issuer, const crypto::TransportPublic& to) {
  head.kind = Content::kKind;
  head.issuer = issuer.name;
  head.run = content.Run();
  head.round = content.Round();
  Parcel parcel;
  parcel.head = ToCbor(head);
  const auto plain = ToCbor(content);
  OTE_TRY(parcel.body, crypto::Seal(to, ContextOf(parcel.head), plain));
  const auto signature = issuer.key.Sign(kSignDomain, Signed(parcel.head, parcel.body));
  parcel.signature.assign(signature.begin(), signature.end());
  parcel.certificate = issuer.certificate;
  return parcel;
}

// The certificate of whoever the head says issued it.
Result<crypto::CertificateBody> CheckIssuer(const Parcel& parcel, const Head& head, const Expected& expected) {
  OTE_TRY(auto body, expected.dates ? crypto::CheckCertificate(parcel.certificate, expected.authority, *expected.dates)
                                    : crypto::CheckCertificateSignature(parcel.certificate, expected.authority));
  if (expected.revocations != nullptr) {
    OTE_TRY(const auto list, crypto::CheckRevocationList(*expected.revocations, expected.authority, 0));
    if (list.Contains(body.serial)) {
      return Fail(ErrorId::kRevoked, fmt::format("{}: the certificate of {} was revoked", NameOf(head), body.name));
    }
  }
  if (body.name != head.issuer) {
    return Fail(ErrorId::kParcelIssuer, fmt::format("{}: it was packed by {}", NameOf(head), body.name));
  }
  if (head.kind == Kind::kTask && body.role != crypto::Role::kRoot) {
    return Fail(ErrorId::kParcelIssuer, fmt::format("{}: {} is not the root of this tree", NameOf(head), body.name));
  }
  if (!expected.issuer.empty() && body.name != expected.issuer) {
    return Fail(ErrorId::kParcelIssuer, fmt::format("{}: it came from {}", NameOf(head), expected.issuer));
  }
  return body;
}

template <class Content>
Result<Opened<Content>> OpenAs(const Parcel& parcel, const Expected& expected, const crypto::TransportKey& key) {
  OTE_TRY(auto head, ReadHead(parcel));
  if (head.kind != Content::kKind) return Malformed(fmt::format("{}, where another kind belongs", NameOf(head)));
  if (head.receiver != expected.receiver) {
    return Fail(ErrorId::kParcelNotMine,
                fmt::format("{}: it is for {}, and this is {}", NameOf(head), head.receiver, expected.receiver));
  }
  OTE_TRY(auto issuer, CheckIssuer(parcel, head, expected));
  if (auto held = crypto::Verify(issuer.SignKey(), kSignDomain, Signed(parcel.head, parcel.body), parcel.signature);
      !held) {
    return Fail(std::move(held).error().Context(NameOf(head)));
  }
  auto plain = crypto::OpenSealed(key, ContextOf(parcel.head), parcel.body);
  if (!plain) return Fail(std::move(plain).error().Context(NameOf(head)));
  auto body = ParseCbor(*plain);
  if (!body) return Malformed(fmt::format("{}: {}", NameOf(head), body.error().message));
  auto content = FromWire<Content>(*body);
  if (!content) return Malformed(fmt::format("{}: {}", NameOf(head), content.error().message));
  if (content->Run() != head.run || content->Round() != head.round) {
    return Fail(ErrorId::kParcelMismatch,
                fmt::format("{}: inside is run {}, round {}", NameOf(head), content->Run(), content->Round()));
  }
  return Opened<Content>{std::move(head), std::move(*content), std::move(*body), std::move(issuer)};
}

}  // namespace

TaskName NameOfTask(const std::string& task_digest, ByteView answer_key) {
  return crypto::Mac(answer_key, AsBytes(task_digest));
}

Result<Parcel> Pack(const SealedTask& content, const Issuer& issuer, const std::string& receiver,
                    const crypto::TransportPublic& to) {
  Head head;
  head.receiver = receiver;
  return PackWith(std::move(head), content, issuer, to);
}

Result<Parcel> Pack(const SealedOffer& content, const TaskName& answers, const Issuer& issuer,
                    const std::string& receiver, const crypto::TransportPublic& to) {
  Head head;
  head.receiver = receiver;
  head.answers.assign(answers.begin(), answers.end());
  return PackWith(std::move(head), content, issuer, to);
}

bool MayBeDamage(ErrorId id) noexcept {
  return id == ErrorId::kParcelMalformed || id == ErrorId::kSignatureInvalid || id == ErrorId::kSealBroken ||
         id == ErrorId::kCertificateInvalid;
}

Result<Head> ReadHead(const Parcel& parcel) {
  auto head = FromCbor<Head>(parcel.head);
  if (!head) return Malformed(head.error().message);
  if (head->format != Head::kFormat) {
    return Malformed(fmt::format("it has format {}, and this ote reads {}", head->format, Head::kFormat));
  }
  const std::size_t named = head->kind == Kind::kOffer ? std::tuple_size_v<TaskName> : 0;
  if (head->answers.size() != named) return Malformed("it does not say which task it answers");
  return std::move(*head);
}

Result<Opened<SealedTask>> OpenTask(const Parcel& parcel, const Expected& expected, const crypto::TransportKey& key) {
  OTE_TRY(auto opened, OpenAs<SealedTask>(parcel, expected, key));
  if (opened.content.seals.answer_key.size() != std::tuple_size_v<decltype(crypto::TransportPublic::bytes)>) {
    return Malformed(fmt::format("{}: the key for its answer is none", NameOf(opened.head)));
  }
  return opened;
}

Result<Opened<SealedOffer>> OpenOffer(const Parcel& parcel, const Expected& expected, const crypto::TransportKey& key) {
  return OpenAs<SealedOffer>(parcel, expected, key);
}

}  // namespace ote::parcel
