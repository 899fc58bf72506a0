// What a root keeps about members that are reached by files: the grants and tasks that it gave out, and the updates
// that it took, by run, round, step, site and nonce.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/api/by_hand.h"
#include "core/bundle/bodies.h"

namespace ote::agent {

// Numbers of what this root sends by files, to whomever.
inline constexpr std::string_view kSentNumbers = "hand-sent";

// "run-7k2m9q4x0d/3/train/clinic-c"
std::string HandKey(const std::string& run, std::int64_t round, std::string_view step, const std::string& cluster);

// The newest grant of a member.
struct HandGrant {
  static constexpr std::string_view kKind = "hand-grant";
  std::string cluster;
  std::string request;  // digest of the bundle that it answers
  std::int64_t sequence = 0;
  UnixMillis created = 0;
  BigId serial;                  // of the certificate in it
  std::int64_t revocations = 0;  // number of the list in it

  std::string Key() const { return cluster; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("request", self.request, kRequired);
    v("sequence", self.sequence, kRequired);
    v("created", self.created, kRequired);
    v("serial", self.serial);
    v("revocations", self.revocations);
  }
};

// A task that was given out, with all that its bundle is made of.
struct HandTask {
  static constexpr std::string_view kKind = "hand-task";
  api::ExportReply out;
  BigId serial;                      // of the certificate in it
  std::int64_t revocations = 0;      // number of the list in it
  std::vector<std::string> digests;  // of the bundles that were made of this task, the newest last

  std::string Key() const { return HandKey(out.task.run, out.task.round, NameOf(out.task.kind), out.cluster); }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("out", self.out, kRequired);
    v("serial", self.serial);
    v("revocations", self.revocations);
    v("digests", self.digests);
  }
};

// An update that was taken.
struct HandUpdate {
  static constexpr std::string_view kKind = "hand-update";
  api::ImportReply receipt;  // what was answered
  api::UpdateOffer offer;
  Bytes nonce;  // of the task that it answers

  std::string Key() const { return HandKey(receipt.run, receipt.round, receipt.step, receipt.cluster); }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("receipt", self.receipt, kRequired);
    v("offer", self.offer, kRequired);
    v("nonce", self.nonce, kRequired);
  }
};

// A run that was removed here, and whose end is not known to be known at a site that took part.
struct HandOver {
  static constexpr std::string_view kKind = "hand-over";
  std::string cluster;
  std::string run;

  std::string Key() const { return cluster + "/" + run; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("run", self.run, kRequired);
  }
};

}  // namespace ote::agent
