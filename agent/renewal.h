// What a member holds of the authority's papers, and how it comes by newer ones: its certificate in time, revocations,
// successions. All of it is signed, so that it does not matter who brought it. One thread.
#pragma once

#include <functional>
#include <string_view>

#include "agent/access/list_number.h"
#include "agent/context.h"
#include "core/api/requests.h"
#include "crypto/keys.h"

namespace ote::agent {

class Renewal {
 public:
  struct Hooks {
    std::function<bool()> can_ask;  // whether the root, or a way to it, is there
    std::function<void(std::string_view verb, Json body, Rpc::Continuation then)> ask;  // the root
    std::function<void()> renewed;                                                      // the certificate is another
    std::function<void(const Error&)> failed;
    std::function<void(const api::TrustNews&)> taken;  // may be empty
  };

  // The key must outlive it; it may be changed in its place.
  Renewal(Context& context, const crypto::SigningKey& sign, Hooks hooks)
      : context_(context), sign_(sign), hooks_(std::move(hooks)) {}

  // Renews the certificate when its time has come, from now on.
  void Schedule();
  void Renew();

  api::TrustHeld Held() const;
  // Takes what is newer than what is held, in one write; an older or a forged part refuses the whole.
  Result<void> TakeNews(const api::TrustNews& news);

 private:
  void Retry();
  // Whether a certificate is for this cluster and its keys, and not older than the one that is held.
  Result<void> CheckOwn(const crypto::CertificateBody& issued) const;
  Result<void> TakeCertificate(const Json& body);

  Context& context_;
  const crypto::SigningKey& sign_;
  Hooks hooks_;
  Timers::Id renewal_ = 0;
  mutable ListNumber list_number_;
};

}  // namespace ote::agent
