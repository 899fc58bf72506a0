// What a site signs of an answer that it sends, so that the record of the run can show who sent what.
//
// A statement is `body` (CBOR of StatementBody), a signature over it by the site's signing key under the domain
// "ote-update-v1", and the site's certificate. core/record makes and checks them.
#pragma once

#include <string>

#include "core/base/codec.h"
#include "crypto/certificate.h"

namespace ote::api {

struct Task;

struct StatementBody {
  std::string run;
  std::int64_t round = 0;
  std::string kind;  // of the task, as its enum is spelled
  std::string site;
  std::string task;    // TaskDigest of what it answers
  std::string update;  // digest of the update; of the statistics' CBOR in a survey; "" for an evaluation
  std::int64_t size = 0;
  std::int64_t examples = 0;
  double steps = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("kind", self.kind, kRequired);
    v("site", self.site, kRequired);
    v("task", self.task, kRequired);
    v("update", self.update, kRequired);
    v("size", self.size, kRequired);
    v("examples", self.examples, kRequired);
    v("steps", self.steps, kRequired);
  }
  friend bool operator==(const StatementBody&, const StatementBody&) = default;
};

struct SiteStatement {
  Bytes body;
  Bytes signature;
  crypto::Certificate certificate;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
    v("certificate", self.certificate, kRequired);
  }
};

// The digest of a task's CBOR without its deadline, which is told anew each time a task is sent and changes no answer.
// A site takes it of the body as it arrived, so that fields that it does not know count too.
std::string TaskDigest(Json task);
std::string TaskDigest(const Task& task);
// What a record names a certificate by: of its CBOR.
std::string CertificateDigest(const crypto::Certificate& certificate);

}  // namespace ote::api
