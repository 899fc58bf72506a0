#include "agent/access/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "core/base/log.h"
#include "crypto/digest.h"

namespace ote::agent {
namespace {

constexpr std::string_view kTopic = "audit";
constexpr std::int64_t kPage = 1'000;
constexpr std::int64_t kMostShown = 10'000;

// The end of the chain.
struct AuditHead {
  static constexpr std::string_view kKind = "audit-head";
  std::int64_t number = 0;
  std::string digest;

  std::string Key() const { return "head"; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("number", self.number, kRequired);
    v("digest", self.digest, kRequired);
  }
};

std::string DigestOfEntry(const api::AuditEntry& entry) { return crypto::DigestOf(ToCbor(entry)).ToString(); }

bool Wanted(const api::AuditEntry& entry, const api::AuditQuery& query) {
  if (entry.at < query.since) return false;
  if (!query.verb.empty() && entry.verb != query.verb) return false;
  return query.who.empty() || entry.who == query.who || entry.who.starts_with(query.who + "@");
}

}  // namespace

Result<void> Audit::Append(api::AuditEntry& entry) {
  return store_.Transaction([&]() -> Result<void> {
    OTE_TRY(const auto head, store_.Get<AuditHead>("head"));
    entry.number = head ? head->number + 1 : 1;
    entry.previous = head ? head->digest : "";
    OTE_CHECK(store_.Append(kTopic, entry.at, ToJson(entry)));
    OTE_CHECK(store_.Put(AuditHead{entry.number, DigestOfEntry(entry)}));
    if (entry.number % block_ == 0) OTE_CHECK(store_.TrimJournal(kTopic, most_));
    return {};
  });
}

void Audit::Write(api::AuditEntry entry) {
  if (auto written = Append(entry); !written) {
    ++unwritten_;
    log::Error("not written to the audit",
               {{"who", entry.who}, {"verb", entry.verb}, {"why", written.error().message}, {"unwritten", unwritten_}});
  }
}

Result<api::AuditList> Audit::Read(const api::AuditQuery& query) {
  if (query.limit < 1 || query.limit > kMostShown)
    return Fail(ErrorId::kUsage, fmt::format("audit: --limit must be from 1 to {}", kMostShown));
  api::AuditList list;
  list.unwritten = unwritten_;
  std::deque<api::AuditEntry> found;
  const auto broken = [&list](std::string why) {
    if (list.intact) list.broken = std::move(why);
    list.intact = false;
  };
  std::optional<AuditHead> last;
  for (std::int64_t after = 0;;) {
    OTE_TRY(const auto page, store_.ReadJournal(kTopic, after, kPage));
    for (const auto& row : page) {
      auto entry = FromJson<api::AuditEntry>(row.doc);
      if (!entry) {
        broken(fmt::format("the entry after number {} cannot be read", last ? last->number : 0));
        continue;
      }
      if (!last) list.dropped = entry->number - 1;
      if (last && (entry->number != last->number + 1 || entry->previous != last->digest))
        broken(fmt::format("number {} does not follow on number {}", entry->number, last->number));
      last = AuditHead{entry->number, DigestOfEntry(*entry)};
      ++list.kept;
      if (!Wanted(*entry, query)) continue;
      found.push_back(std::move(*entry));
      if (static_cast<std::int64_t>(found.size()) > query.limit) found.pop_front();
    }
    if (static_cast<std::int64_t>(page.size()) < kPage) break;
    after = page.back().seq;
  }
  OTE_TRY(const auto head, store_.Get<AuditHead>("head"));
  const auto number = last ? last->number : 0;
  if ((head ? head->number : 0) != number || (head && last && head->digest != last->digest))
    broken(fmt::format("it ends at number {}, and number {} was written", number, head ? head->number : 0));
  list.items.assign(std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  return list;
}

}  // namespace ote::agent
