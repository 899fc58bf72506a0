// A member's side of apps that are carried to it: takes what it is to run, and tells what became of it. Serves
// app.import.
//
// What a bundle wants is in the store of the apps before it counts as taken: one that was cut off in between is
// imported again, and changes nothing twice. One thread.
#pragma once

#include "agent/apps/site_desk.h"
#include "agent/by_hand/carried.h"
#include "agent/context.h"
#include "core/api/app_carried.h"
#include "core/site/by_hand/taking.h"

namespace ote::agent {

class AppIntake {
 public:
  // `site` is nullptr without a shim; `transport` is this agent's own key. All must outlive it.
  AppIntake(Context& context, SiteDesk* site, const crypto::TransportKey& transport)
      : context_(context), site_(site), transport_(transport) {}
  void Start();

 private:
  Result<api::AppImportReply> Import(const api::AppImportRequest& request);
  // Everything but what is newest.
  Result<void> CheckParts(const Carried& carried, const bundle::AppBody& body, const std::string& root) const;
  Result<void> Take(const Carried& carried, const bundle::AppBody& body, const site::Judged& judged);
  // How the app with this key is.
  api::AppReport Now(const std::string& key, const bundle::AppBody& body) const;
  // What a receipt says now; one that says the same as the last is the last.
  Result<void> Report(const Carried& carried, const bundle::AppBody& body, api::AppImportReply* reply);

  Context& context_;
  SiteDesk* site_;
  const crypto::TransportKey& transport_;
};

}  // namespace ote::agent
