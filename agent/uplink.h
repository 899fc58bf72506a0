// The link to the parent: connects, says hello, beats, renews the certificate, and carries requests up.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/access/list_number.h"
#include "agent/context.h"
#include "core/api/requests.h"
#include "crypto/keys.h"

namespace ote::agent {

class Uplink {
 public:
  // The keys must outlive it; they may be changed in their place (then call Reconnect).
  Uplink(Context& context, const crypto::SigningKey& sign, const crypto::TransportKey& transport);

  // Does nothing at a root.
  void Start();
  bool Connected() const noexcept { return welcomed_; }
  // Why not, for people.
  const std::string& Message() const noexcept { return message_; }

  // Asks the parent; kUnreachable at once when there is no link.
  void Call(std::string_view verb, Json body, std::chrono::milliseconds patience, Rpc::Continuation then);
  // The same to any cluster above: the root, or a relay on the way to it.
  void CallAbove(const std::string& cluster, std::string_view verb, Json body, std::chrono::milliseconds patience,
                 Rpc::Continuation then);

  // Called after each hello that was answered: the time to say again what the parent may have missed.
  void OnConnected(std::function<void()> fn) { connected_.push_back(std::move(fn)); }
  // What hello and member.datasets tell; set by the part that keeps the data sets.
  void SetDatasets(std::function<std::vector<api::DatasetSummary>()> fn) { datasets_ = std::move(fn); }
  // Tells the parent; `told` is called when it knows, or when it cannot be told now and will hear with the next hello.
  void DatasetsChanged(std::function<void()> told = {});

  // Called when a new list of operators was taken.
  void OnOperators(std::function<void()> fn) { operators_ = std::move(fn); }

  // Begins a new link, with the keys as they are now.
  void Reconnect();

  // From Node: link events of the transport.
  void HandleEvent(const wire::Event& event);

 private:
  void Connect();
  void SayHello();
  void Beat();
  void Renew();
  void ScheduleRenewal();
  void RetryRenewal();
  void Lost(std::string why);
  void AnswerUntold();
  api::TrustHeld Held() const;
  // Takes what is newer than what is held, in one write; an older or a forged part refuses the whole.
  Result<void> TakeNews(const api::TrustNews& news);
  // Whether a certificate is for this cluster and its keys, and not older than the one that is held.
  Result<void> CheckOwn(const crypto::CertificateBody& issued) const;
  Result<void> TakeCertificate(const Json& body);

  Context& context_;
  const crypto::SigningKey& sign_;
  const crypto::TransportKey& transport_key_;
  std::optional<wire::LinkId> link_;
  std::size_t endpoint_ = 0;
  bool up_ = false;
  bool welcomed_ = false;
  std::string message_ = "not connected yet";
  Timers::Id beat_ = 0;
  Timers::Id give_up_ = 0;
  Timers::Id renewal_ = 0;
  int missed_ = 0;
  bool saying_hello_ = false;                  // sent, not answered yet
  bool hello_stale_ = false;                   // data sets changed after the hello under way was written
  std::vector<std::function<void()>> untold_;  // who waits to hear that the parent knows of them
  std::vector<std::function<void()>> connected_;
  std::function<std::vector<api::DatasetSummary>()> datasets_;
  std::function<void()> operators_;
  mutable ListNumber list_number_;
};

}  // namespace ote::agent
