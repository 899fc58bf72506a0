#include <fmt/format.h>

#include "cli/fl/commands.h"
#include "cli/fl/run_document.h"
#include "core/base/units.h"
#include "core/federate/plan.h"

namespace ote::cli {
namespace {

template <class T, class U>
void Override(const std::optional<T>& flag, U& field) {
  if (flag) field = *flag;
}

}  // namespace

void AddRunFlags(Command& c, RunFlags& f) {
  c.Option("-f,--file", "FILE", f.file, "the run file, see ote-run(5); - for standard input").Completes(Names::kFile);
  c.Option("--name", "NAME", f.name, "a name for the run and its model").Fallback("the run's id");
  c.Option("--model-name", "NAME", f.model_name, "what its model is called: the next version of that name")
      .Completes(Names::kModel);
  c.Fallback("the run's name");
  c.Option("--dataset", "NAME", f.dataset, "the data set that the clusters train on").Completes(Names::kDataset);
  c.Option("--task", "TASK", f.task, "what the labels are").Fallback("classification");
  c.Option("--model", "KIND", f.model, "the model").Fallback("softmax");
  c.Option("--hidden", "UNITS", f.hidden, "mlp: the units of each hidden layer, parted by commas").Fallback("64");
  c.Option("--activation", "NAME", f.activation, "mlp: the activation").Fallback("relu");
  c.Option("--input-scale", "FACTOR", f.input_scale, "every feature is multiplied by it").Fallback("1");
  c.Option("--rounds", "COUNT", f.rounds, "how many rounds").Fallback("10");
  c.Option("--epochs", "COUNT", f.epochs, "passes over a cluster's rows in one round").Fallback("1");
  c.Option("--batch-size", "ROWS", f.batch_size, "rows in a mini-batch").Fallback("32");
  c.Option("--optimizer", "NAME", f.optimizer, "how a cluster trains").Fallback("sgd");
  c.Option("--learning-rate", "RATE", f.learning_rate, "the step size").Fallback("0.05");
  c.Option("--momentum", "FACTOR", f.momentum, "sgd: the momentum").Fallback("0.9");
  c.Option("--l2", "FACTOR", f.l2, "weight decay").Fallback("0");
  c.Option("--strategy", "NAME", f.strategy, "how updates become the next model").Fallback("fedavg");
  c.Option("--trainer", "WHO", f.trainer, "who trains at a cluster: ote, its own command, or that where there is one");
  c.Fallback("builtin");
  c.Option("--clusters", "NAMES", f.clusters, "only these clusters").Completes(Names::kCluster);
  c.Option("-l,--selector", "SELECTOR", f.selector, "only the clusters that it means, such as region=eu,tier!=lab");
  c.Option("--fraction", "FRACTION", f.fraction, "the part of the clusters that each round asks, drawn anew")
      .Fallback("1");
  c.Option("--minimum", "COUNT", f.minimum, "updates without which a round does not close").Fallback("1");
  c.Option("--deadline", "DURATION", f.deadline, "of a round; past it, it closes without those that are missing");
  c.Fallback("10m");
  c.Option("--from", "MODEL", f.from, "start from this model of the root").Completes(Names::kModel);
  c.Option("--set", "FIELD=VALUE", f.set, "any field of the run file, such as strategy.proximal=0.1");
  c.Option("--seed", "NUMBER", f.seed, "decides all that is drawn at random").Fallback("1");
}

Result<api::RunSpec> ReadRun(Context& context, const RunFlags& flags, const std::string& dataset) {
  OTE_TRY(RunDocument document, ReadRunDocument(context, flags.file));
  for (const std::string& setting : flags.set) OTE_CHECK(document.Set(setting));
  // A flag may name it.
  if (!document.json.contains("dataset")) document.json["dataset"] = "";
  if (!document.json.contains("model")) document.json["model"] = {{"kind", NameOf(api::ModelKind::kSoftmax)}};
  OTE_TRY(api::RunSpec spec, FromJson<api::RunSpec>(document.json, &document.map));
  Override(flags.name, spec.name);
  Override(flags.model_name, spec.model_name);
  Override(flags.dataset, spec.dataset);
  Override(flags.task, spec.task);
  // Values are the common thing for regression, so the model follows the task when only that is given.
  if (flags.file.empty() && !flags.model && flags.set.empty() && spec.task == api::DataTask::kRegression)
    spec.model.kind = api::ModelKind::kLinear;
  Override(flags.model, spec.model.kind);
  Override(flags.hidden, spec.model.hidden);
  Override(flags.activation, spec.model.activation);
  Override(flags.input_scale, spec.model.input_scale);
  Override(flags.optimizer, spec.training.optimizer);
  Override(flags.learning_rate, spec.training.learning_rate);
  Override(flags.momentum, spec.training.momentum);
  Override(flags.l2, spec.training.l2);
  Override(flags.batch_size, spec.training.batch_size);
  Override(flags.epochs, spec.training.epochs);
  Override(flags.strategy, spec.strategy.kind);
  Override(flags.trainer, spec.trainer);
  if (!flags.clusters.empty()) spec.sites.clusters = flags.clusters;
  const Json::json_pointer selector("/sites/selector");
  if (document.json.contains(selector) && document.json.at(selector).is_null()) {
    spec.sites.selector.text = "";  // it stands there, and is empty
  }
  if (flags.selector.text) {
    spec.sites.selector = {{}, *flags.selector.text};
    document.map.lines["/sites/selector"] = 0;
  }
  Override(flags.fraction, spec.sites.fraction);
  Override(flags.minimum, spec.sites.minimum);
  if (flags.deadline) spec.sites.deadline = FormatDuration(*flags.deadline);
  Override(flags.rounds, spec.rounds);
  Override(flags.seed, spec.seed);
  Override(flags.from, spec.from);
  if (spec.dataset.empty()) spec.dataset = dataset;
  if (spec.dataset.empty()) {
    return Fail(ErrorId::kUsage, "no data set is named", "give a run file with -f, or --dataset NAME");
  }
  OTE_CHECK(document.CheckUsed(spec));
  if (spec.model.kind == api::ModelKind::kGbt && spec.rounds != api::RunSpec{}.rounds) {
    Error error{ErrorId::kRunInvalid, "rounds: a gbt takes as many as its trees and their depth need",
                "set model.trees, and leave rounds out"};
    return Fail(document.Located(std::move(error)));
  }
  if (auto checked = federate::CheckPlan(spec); !checked) return Fail(document.Located(std::move(checked).error()));
  return spec;
}

}  // namespace ote::cli
