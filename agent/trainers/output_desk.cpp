#include "agent/trainers/output_desk.h"

#include <fmt/format.h>

#include <utility>

#include "core/site/trainers/logs.h"
#include "core/site/trainers/own_training.h"

namespace ote::agent {

OutputDesk::OutputDesk(Context& context, Members& members, std::function<Result<std::string>(const std::string&)> id_of)
    : context_(context), members_(members), id_of_(std::move(id_of)) {}

void OutputDesk::Start() {
  context_.rpc.Register(api::verb::kFlOutput, kByParent | kByOperator,
                        [this](Request request) { Serve(std::move(request)); });
}

void OutputDesk::Serve(Request request) {
  const auto asked = FromWire<api::OutputRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  const auto& self = context_.membership.name;
  if (!asked->cluster.empty() && asked->cluster != self) return AskMember(std::move(request), *asked);
  // A run of this root may go by its name; a site knows the ids alone.
  const auto known = id_of_(asked->run);
  auto tail =
      site::ReadTrainerLog(site::TrainerLogFolder(context_.folder.path), known ? *known : asked->run, asked->most);
  if (!tail) return request.Refuse(tail.error());
  tail->cluster = self;
  request.Answer(ToJson(*tail));
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
