#include "agent/models.h"

#include <algorithm>
#include <map>

#include "core/base/log.h"
#include "core/federate/model_file.h"
#include "core/wire/envelope.h"

namespace ote::agent {

Result<void> Models::Start() {
  OTE_CHECK(registry_.Migrate());
  auto& rpc = context_.rpc;
  rpc.RegisterCall<api::ModelListRequest>(api::verb::kModelList, kByOperator,
                                          [this](const Request&, const auto& body) { return List(body); });
  rpc.RegisterCall<api::NameRequest>(api::verb::kModelShow, kByOperator,
                                     [this](const Request&, const auto& body) { return Find(body.name); });
  rpc.RegisterCall<api::ModelTagRequest>(api::verb::kModelTag, kByOperator,
                                         [this](const Request&, const auto& body) { return Tag(body); });
  rpc.RegisterCall<api::ModelRemoveRequest>(api::verb::kModelRemove, kByOperator,
                                            [this](const Request&, const auto& body) { return Remove(body); });
  rpc.RegisterCall<api::ModelImportRequest>(api::verb::kModelImport, kByOperator,
                                            [this](const Request&, const auto& body) { return Import(body); });
  return {};
}

Result<api::ModelList> Models::List(const api::ModelListRequest& request) const {
  OTE_TRY(auto models, registry_.List());
  api::ModelList list;
  // The newest of a name has its highest number, whatever its clock said.
  std::map<std::string, std::int64_t> newest;
  for (const auto& model : models) newest[model.name] = std::max(newest[model.name], model.version);
  std::size_t room = wire::kMaxHeader - 4096;
  for (auto model = models.rbegin(); model != models.rend() && list.items.size() < kMostListed; ++model) {
    if (!request.name.empty() && model->name != request.name) continue;
    if (!request.all && model->version < newest[model->name]) continue;
    // What grows with columns and clusters is for model.show.
    model->preparation = {};
    model->participants.clear();
    const auto size = ToCbor(*model).size();
    if (size > room) break;
    room -= size;
    list.items.push_back(std::move(*model));
  }
  std::ranges::reverse(list.items);
  return list;
}

Result<api::ModelEntry> Models::Tag(const api::ModelTagRequest& request) {
  return request.remove ? registry_.Untag(request.name, request.tag) : registry_.Tag(request.name, request.tag);
}

Result<api::ModelEntry> Models::Remove(const api::ModelRemoveRequest& request) {
  OTE_TRY(auto entry, registry_.Remove(request.name, request.force));
  log::Info("model removed", {{"model", entry.Key()}, {"digest", entry.digest}});
  if (!needed_(entry.digest)) context_.artifacts.Remove(entry.digest);
  return entry;
}

Result<api::ModelEntry> Models::Import(const api::ModelImportRequest& request) {
  OTE_CHECK(CheckName("model", request.name));
  for (const auto& tag : request.tags) OTE_CHECK(api::CheckTag(tag));
  api::ModelEntry entry;
  {
    OTE_TRY(const auto file, context_.artifacts.Map(request.digest));
    entry.size = static_cast<std::int64_t>(file.View().size());
    OTE_TRY(const auto model, federate::ReadModelFile(file.View()));
    entry.parameters = static_cast<std::int64_t>(model.values.size());
    entry.model = model.spec;
    entry.task = model.task;
    entry.features = model.features;
    entry.classes = model.classes;
    entry.preparation = model.preparation;
  }
  entry.name = request.name;
  entry.digest = request.digest;
  entry.source = api::ModelSource::kImport;
  entry.created_at = context_.clock.WallNow();
  auto done = context_.store.Transaction([&]() -> Result<void> {
    OTE_TRY(entry, registry_.Register(std::move(entry)));
    for (const auto& tag : request.tags) {
      OTE_TRY(entry, registry_.Tag(entry.Key(), tag));
    }
    return {};
  });
  if (!done) return Fail(std::move(done).error());
  log::Info("model imported", {{"model", entry.Key()}, {"digest", entry.digest}});
  return entry;
}

}  // namespace ote::agent
