#include "agent/commands/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/api/page.h"

namespace ote::agent {

Commands::Commands(Context& context, Members& members, Uplink& uplink)
    : context_(context),
      members_(members),
      outbox_(context, members, [this](const api::Command& command) { return inbox_.Take(command); }),
      inbox_(context, uplink, [this](const api::CommandOutcome& outcome, Outbox::Kept kept) {
        return outbox_.Learn(outcome, std::move(kept));
      }) {}

Result<void> Commands::Start() {
  OTE_CHECK(inbox_.Start());
  OTE_CHECK(outbox_.Start());
  context_.rpc.Register(api::verb::kCommandOutcome, kByMember,
                        [this](Request request) { Outcome(std::move(request)); });
  context_.rpc.RegisterCall<api::CommandQuery>(
      api::verb::kClusterCommands, kByOperator,
      [this](const Request& request, const api::CommandQuery& query) { return List(query, request.Seen()); });
  return {};
}

void Commands::Outcome(Request request) {
  const auto outcome = FromWire<api::CommandOutcome>(request.envelope().body);
  if (!outcome) return request.Refuse(outcome.error());
  if (request.caller().name != outcome->cluster) {
    return request.Refuse(
        Error{ErrorId::kNotBelow, fmt::format("{} tells what {} did", request.caller().name, outcome->cluster), {}});
  }
  if (outcome->issuer != context_.membership.name) {
    return request.Refuse(
        Error{ErrorId::kCommandUnknown, fmt::format("{}: issued by {}, not here", outcome->id, outcome->issuer), {}});
  }
  // Answered once it is on disk: after that nobody tells it again.
  const auto kept = std::make_shared<Request>(std::move(request));
  const auto learned = outbox_.Learn(*outcome, [kept](const Result<void>& written) {
    if (!written) return kept->Refuse(written.error());
    kept->Answer(Json::object());
  });
  if (!learned) kept->Refuse(learned.error());
}

// Of one command, issued for thousands, the outcomes that are asked for.
void Commands::CutToPage(const api::CommandQuery& query, const Sees& sees, api::CommandList& list) const {
  auto& shown = list.items.front().outcomes;
  api::PageRoom room(query.outcomes);
  for (auto& outcome : std::exchange(shown, {})) {
    if (outcome.cluster <= query.after || !members_.Seen(sees, outcome.cluster)) continue;
    if (!room.Take(ToCbor(outcome).size())) {
      list.next = shown.back().cluster;
      return;
    }
    shown.push_back(std::move(outcome));
  }
}

Result<api::CommandList> Commands::List(const api::CommandQuery& query, const Sees& sees) const {
  api::CommandList list;
  list.items = outbox_.View(query);
  for (auto& view : inbox_.View(query)) list.items.push_back(std::move(view));
  if (!query.id.empty() && list.items.empty()) {
    return Fail(ErrorId::kCommandUnknown, fmt::format("command {}: not remembered here", query.id),
                "ote cluster commands");
  }
  std::ranges::stable_sort(list.items, [](const auto& a, const auto& b) { return a.issued_at > b.issued_at; });
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(query.limit, 1, 1'000));
  if (list.items.size() > limit) {
    list.more = static_cast<std::int64_t>(list.items.size() - limit);
    list.items.resize(limit);
  }
  if (!query.id.empty() && list.items.size() == 1 && query.outcomes > 0) CutToPage(query, sees, list);
  list.refused = outbox_.refused() + inbox_.refused();
  list.forgotten = outbox_.forgotten() + inbox_.forgotten();
  return list;
}

}  // namespace ote::agent
