// Parcels: tasks and their answers as they travel, over a wire, through other clusters or as files. Whoever carries one
// sees from whom it is, for whom, which run and round it belongs to, and how large it is; and can change none of it.
//
//   head         CBOR of Head: what is needed to bring it to its place
//   body         a sealed stream (crypto/sealed.h) with CBOR of SealedTask or SealedOffer, bound to the head
//   signature    by the issuer's certified key, under the domain "ote-parcel-v1", over: the head's length, 8 bytes LE |
//                the head | the BLAKE2b-256 of the body
//   certificate  of the issuer
//
// The body of a task is sealed to the site's certified transport key. That of an offer is sealed to the run's key,
// which the root forgets with the run. An offer's head names the task that it answers (NameOfTask), so that an answer
// to another task of the same round is not taken for one.
//
// Reading checks everything and in this order: form (kParcelMalformed), receiver (kParcelNotMine), certificate
// (kCertificateInvalid, kCertificateExpired, kClockOff, kRevoked), issuer (kParcelIssuer), signature
// (kSignatureInvalid), seal (kSealBroken), and that what is inside is what is written outside (kParcelMismatch).
// Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "core/api/sealing.h"
#include "core/api/task.h"
#include "core/base/bytes.h"
#include "core/base/result.h"
#include "crypto/certificate.h"
#include "crypto/keys.h"

namespace ote::parcel {

enum class Kind { kTask, kOffer };

struct Head {
  static constexpr int kFormat = 1;
  int format = kFormat;
  Kind kind = Kind::kTask;
  std::string issuer;
  std::string receiver;
  std::string run;
  std::int64_t round = 0;
  Bytes answers;  // an offer: NameOfTask of the task

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("format", self.format, kRequired);
    v("kind", self.kind, kRequired);
    v("issuer", self.issuer, kRequired);
    v("receiver", self.receiver, kRequired);
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("answers", self.answers);
  }
};

// The wire and file form.
struct Parcel {
  Bytes head;
  Bytes body;
  Bytes signature;
  crypto::Certificate certificate;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("head", self.head, kRequired);
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
    v("certificate", self.certificate, kRequired);
  }
};

// What is in a parcel.
struct SealedTask {
  static constexpr Kind kKind = Kind::kTask;
  api::Task task;
  api::TaskSeals seals;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("task", self.task, kRequired);
    v("seals", self.seals, kRequired);
  }
  const std::string& Run() const noexcept { return task.run; }
  std::int64_t Round() const noexcept { return task.round; }
};
struct SealedOffer {
  static constexpr Kind kKind = Kind::kOffer;
  api::UpdateOffer offer;
  api::SealedCopy update;  // of offer.digest
  Bytes header;            // the first bytes of that copy, from which its key is made

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("offer", self.offer, kRequired);
    v("update", self.update);
    v("header", self.header);
  }
  const std::string& Run() const noexcept { return offer.run; }
  std::int64_t Round() const noexcept { return offer.round; }
};

// What an offer calls the task that it answers, from api::TaskDigest: the same for every sending of it, and of no use
// to those who guess what the task may say, since the run's key is in it.
using TaskName = std::array<std::uint8_t, 32>;
TaskName NameOfTask(const std::string& task_digest, ByteView answer_key);

// One who signs: name, key and certificate belong together.
struct Issuer {
  std::string name;
  const crypto::SigningKey& key;
  const crypto::Certificate& certificate;
};

// kSealBroken when `to` is no key.
Result<Parcel> Pack(const SealedTask& content, const Issuer& issuer, const std::string& receiver,
                    const crypto::TransportPublic& to);
Result<Parcel> Pack(const SealedOffer& content, const TaskName& answers, const Issuer& issuer,
                    const std::string& receiver, const crypto::TransportPublic& to);

// What a reader knows beforehand.
struct Expected {
  crypto::VerifyKey authority;
  std::string receiver;                                 // the reader's own name
  std::string issuer;                                   // "" for any root: tasks
  std::optional<crypto::Validity> dates;                // not looked at when empty
  const crypto::RevocationList* revocations = nullptr;  // checked when it was taken
};

// Whether a parcel that was refused with this may have been altered on its way: packing it anew may help.
bool MayBeDamage(ErrorId id) noexcept;

// The head, to see where a parcel belongs. Nothing of it is to be believed before Open.
Result<Head> ReadHead(const Parcel& parcel);

template <class Content>
struct Opened {
  Head head;
  Content content;
  Json body;  // the same as it arrived, with what this ote does not know
  crypto::CertificateBody issuer;
};
// A task: its issuer has to be the root.
Result<Opened<SealedTask>> OpenTask(const Parcel& parcel, const Expected& expected, const crypto::TransportKey& key);
// An offer: its issuer has to be `expected.issuer`.
Result<Opened<SealedOffer>> OpenOffer(const Parcel& parcel, const Expected& expected, const crypto::TransportKey& key);

}  // namespace ote::parcel

template <>
struct ote::EnumNames<ote::parcel::Kind> {
  using E = ote::parcel::Kind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kTask, "task"}, {E::kOffer, "offer"}};
};
