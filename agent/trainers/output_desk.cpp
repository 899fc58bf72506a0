#include "agent/trainers/output_desk.h"

#include <fmt/format.h>

#include <utility>

#include "core/site/trainers/logs.h"
#include "core/site/trainers/own_training.h"

namespace ote::agent {

OutputDesk::OutputDesk(Context& context, Members& members, site::Ledger& ledger,
                       std::function<Result<std::string>(const std::string&)> id_of)
    : context_(context), members_(members), ledger_(ledger), id_of_(std::move(id_of)) {}

void OutputDesk::Start() {
  context_.rpc.Register(api::verb::kFlOutput, kByParent | kByOperator,
                        [this](Request request) { Serve(std::move(request)); });
}

void OutputDesk::Serve(Request request) {
  const auto asked = FromWire<api::OutputRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  const auto& self = context_.membership.name;
  if (!asked->cluster.empty() && asked->cluster != self) return AskMember(std::move(request), *asked);
  auto tail = Read(request, *asked);
  if (!tail) return request.Refuse(tail.error());
  tail->cluster = self;
  request.Answer(ToJson(*tail));
}

Result<api::OutputTail> OutputDesk::Read(const Request& request, const api::OutputRequest& asked) const {
  // A run of this root may go by its name; a site knows the ids alone.
  const auto known = id_of_(asked.run);
  const auto& run = known ? *known : asked.run;
  const auto folder = site::TrainerLogFolder(context_.folder.path);
  const bool here = request.who() == kByOperator && request.caller().name == api::kLocalOperator;
  if (!here) {
    OTE_TRY(const auto dataset, site::DatasetOfLog(folder, run));
    OTE_CHECK(ledger_.AdmitOutput(dataset));
  }
  return site::ReadTrainerLog(folder, run, asked.most);
}

void OutputDesk::AskMember(Request request, const api::OutputRequest& asked) {
  if (request.who() != kByOperator || !members_.Find(asked.cluster)) {
    return request.Refuse(Error{ErrorId::kNotFound,
                                fmt::format("cluster {}: not a member of {}", asked.cluster, context_.membership.name),
                                "ote cluster list"});
  }
  const auto id = id_of_(asked.run);
  if (!id) return request.Refuse(id.error());
  const auto peer = members_.WayTo(asked.cluster);
  if (!peer) {
    return request.Refuse(Error{ErrorId::kUnreachable,
                                fmt::format("cluster {}: not reachable now; the log is there", asked.cluster),
                                "ote cluster list"});
  }
  auto waiting = std::make_shared<Request>(std::move(request));  // a continuation is copied
  context_.rpc.Call(*peer, api::verb::kFlOutput, ToJson(api::OutputRequest{*id, {}, asked.most}), kPatience,
                    [waiting, cluster = asked.cluster](const Result<wire::Envelope>& reply) {
                      if (!reply) {
                        auto error = reply.error();
                        return waiting->Refuse(std::move(error).Context("cluster " + cluster));
                      }
                      auto tail = FromWire<api::OutputTail>(reply->body);
                      if (!tail) return waiting->Refuse(tail.error());
                      tail->cluster = cluster;  // as the root knows it, whatever the member says
                      if (std::ssize(tail->text) > api::kMostOutput) tail->text.resize(0);
                      waiting->Answer(ToJson(*tail));
                    });
}

}  // namespace ote::agent
