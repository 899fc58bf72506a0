// ote model diff: how two models differ.
#include <fmt/format.h>

#include "cli/fl/show_run.h"
#include "cli/frame/output.h"
#include "cli/model/commands.h"
#include "core/federate/exchange.h"
#include "crypto/digest.h"

namespace ote::cli {
namespace {

struct DiffOptions {
  std::string a;
  std::string b;
};

struct Side {
  std::string name;
  std::string digest;
  federate::ModelFile file;
  api::Metrics metrics;
  bool measured = false;
};

Result<Side> Load(Context& context, const std::string& model) {
  Side side;
  api::ModelEntry entry;
  OTE_TRY(const Bytes bytes, FetchModelFile(context, model, &entry));
  side.name = entry.name.empty() ? model : entry.Key();
  side.digest = crypto::DigestOf(bytes).ToString();
  side.metrics = entry.metrics;
  side.measured = !entry.name.empty();
  OTE_TRY(side.file, federate::ReadModelFile(bytes));
  return side;
}

// Everything beside the tensors, by the name of the field.
Json Described(const federate::ModelFile& file) {
  Json json = ToJson(file.spec);
  json["task"] = NameOf(file.task);
  json["features"] = file.features;
  json["classes"] = file.classes;
  return json;
}

std::string Text(const Json& value) { return value.is_string() ? value.get<std::string>() : DumpJson(value); }

Result<Exit> Diff(Context& context, const DiffOptions& options) {
  OTE_TRY(const Side a, Load(context, options.a));
  OTE_TRY(const Side b, Load(context, options.b));
  const federate::ModelDifference found = federate::Compare(a.file, b.file);
  const Json of_a = Described(a.file);
  const Json of_b = Described(b.file);

  Table heads({{""}, {a.name}, {b.name}});
  heads.Add({"digest", Short(a.digest), Short(b.digest)});
  if (a.measured || b.measured) heads.Add({"metrics", MetricsText(a.metrics), MetricsText(b.metrics)});
  Json spec = Json::object();
  for (const auto& [field, value] : of_a.items()) {
    if (value == of_b[field]) continue;
    heads.Add({field, Text(value), Text(of_b[field])});
    spec[field] = {value, of_b[field]};
  }
  Table table({{"TENSOR"}, {"MAX ABS", false, true}, {"L2", false, true}, {"COSINE", false, true}});
  Json tensors = Json::array();
  for (const federate::TensorDifference& d : found.tensors) {
    table.Add({d.name, Number(d.max_abs), Number(d.l2), Number(d.cosine, 6)});
    tensors.push_back(
        {{"name", d.name}, {"shape", d.shape}, {"maxAbs", d.max_abs}, {"l2", d.l2}, {"cosine", d.cosine}});
  }
  for (const std::string& name : found.only_a) table.Add({name, "only in " + a.name});
  for (const std::string& name : found.only_b) table.Add({name, "only in " + b.name});

  const bool same = a.digest == b.digest;
  std::string text = heads.Text(false);
  text += same ? "\nthe same file\n" : "\n" + table.Text(false);
  PrintOne(context,
           {{"a", {{"model", a.name}, {"digest", a.digest}, {"metrics", ToJson(a.metrics)}}},
            {"b", {{"model", b.name}, {"digest", b.digest}, {"metrics", ToJson(b.metrics)}}},
            {"same", same},
            {"spec", spec},
            {"tensors", tensors},
            {"onlyA", found.only_a},
            {"onlyB", found.only_b}},
           text, same ? "same" : "different");
  return Exit::kDone;
}

}  // namespace

Command DiffModelsCommand() {
  auto options = std::make_shared<DiffOptions>();
  Command c("diff", "compare two models");
  c.About(
      "Settings and metrics that differ and, for each tensor that both have: the largest distance of two elements, the "
      "Euclidean distance, and the cosine of the angle between them.");
  c.Argument("A", options->a, kModelOrFileHelp).Completes(Names::kModel);
  c.Argument("B", options->b, "what it is compared with").Completes(Names::kModel);
  c.Example("ote model diff digits@1 digits@2", "two versions");
  c.Example("ote model diff digits digits.safetensors -o json", "the newest version and a file");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kNotFound, Exit::kVerification});
  c.Does([options](Context& context) { return Diff(context, *options); });
  return c;
}

}  // namespace ote::cli
