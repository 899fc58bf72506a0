// ote model evaluate and predict: a model on the rows of a file, on this machine.
#include <fmt/format.h>

#include <ostream>

#include "cli/data/commands.h"
#include "cli/fl/show_run.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/model/commands.h"
#include "core/federate/model_file.h"
#include "core/learn/prepare.h"
#include "crypto/digest.h"

namespace ote::cli {
namespace {

struct UseOptions {
  std::string model;
  FileOptions data;
  bool unlabeled = false;  // the rows have features only
};

struct Loaded {
  federate::ModelFile file;
  std::unique_ptr<learn::Model> model;
  learn::Table table;
  std::string digest;
};

Result<Loaded> Load(Context& context, UseOptions options) {
  if (options.data.format == api::DataFormat::kCsv && options.data.label.empty() && !options.unlabeled) {
    return Fail(ErrorId::kUsage, "--label is missing", "name the csv column that holds the label");
  }
  OTE_TRY(const Bytes bytes, FetchModelFile(context, options.model));
  Loaded loaded;
  loaded.digest = crypto::DigestOf(bytes).ToString();
  OTE_TRY(loaded.file, federate::ReadModelFile(bytes));
  OTE_TRY(loaded.model, loaded.file.Make());
  options.data.task = loaded.file.task;
  auto source = SourceOf(context, options.data);
  source.unlabeled = options.unlabeled;
  // Which columns hold categories, and whether values may be missing, the model knows.
  for (const auto& column : loaded.file.preparation.columns) {
    if (!column.categories.empty()) source.categorical.push_back(column.name);
    if (column.fill && !source.missing) source.missing.emplace();
  }
  OTE_TRY(loaded.table, learn::LoadTable(source));
  if (auto done = learn::Prepare(loaded.table, loaded.file.preparation); !done) {
    return Fail(std::move(done).error().Context(options.data.path.string()));
  }
  if (loaded.table.columns != loaded.file.features) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("model {} takes {} features; {} has {}", options.model, loaded.file.features,
                            options.data.path.string(), loaded.table.columns));
  }
  return loaded;
}

Result<Exit> Evaluate(Context& context, const UseOptions& options) {
  OTE_TRY(Loaded loaded, Load(context, options));
  std::int64_t unknown = 0;
  if (loaded.file.task == api::DataTask::kClassification)
    unknown = learn::KeepClasses(loaded.table, loaded.file.classes);
  if (loaded.table.rows == 0) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("{}: no row has a class that the model knows", options.data.path.string()));
  }
  OTE_TRY(api::Metrics metrics, loaded.model->Evaluate(loaded.file.values, loaded.table));
  if (unknown > 0) {
    // A class that it was never shown is one that it cannot name: wrong every time, and no loss can be told.
    const auto all = static_cast<double>(metrics.rows + unknown);
    if (metrics.accuracy) *metrics.accuracy *= static_cast<double>(metrics.rows) / all;
    metrics.loss.reset();
    metrics.auc.reset();
    metrics.rows += unknown;
    Warn(context, fmt::format("{} of {} rows have classes that the model was never shown, and count as wrong", unknown,
                              metrics.rows));
  }
  const auto show = [](const std::optional<double>& value) { return value ? Number(*value, 6) : std::string(); };
  PrintOne(context,
           {{"model", options.model},
            {"digest", loaded.digest},
            {"data", options.data.path.string()},
            {"metrics", ToJson(metrics)}},
           FactsText({{"model", options.model},
                      {"digest", Short(loaded.digest)},
                      {"rows", std::to_string(metrics.rows)},
                      {"accuracy", show(metrics.accuracy)},
                      {"auc", show(metrics.auc)},
                      {"rmse", show(metrics.rmse)},
                      {"loss", show(metrics.loss)}}),
           loaded.digest);
  return Exit::kDone;
}

// The class of the largest probability, the value, or the number of the nearest centroid.
Json PredictionOf(const federate::ModelFile& model, std::span<const float> outputs, std::int64_t row) {
  Json item{{"row", row}};
  if (model.task != api::DataTask::kClassification) {
    item["prediction"] = outputs[0];
    return item;
  }
  std::size_t best = 0;
  Json probabilities = Json::object();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] > outputs[best]) best = i;
    probabilities[model.classes[i]] = outputs[i];
  }
  item["prediction"] = model.classes[best];
  item["probability"] = outputs[best];
  item["probabilities"] = std::move(probabilities);
  return item;
}

Result<Exit> Predict(Context& context, UseOptions options) {
  options.unlabeled = options.data.label.empty() && options.data.label_path.empty();
  OTE_TRY(const Loaded loaded, Load(context, options));
  OTE_TRY(const std::vector<float> outputs, loaded.model->Predict(loaded.file.values, loaded.table));
  const auto width = static_cast<std::size_t>(loaded.file.Shape().outputs);
  Table table({{"ROW", false, true}, {"PREDICTION"}, {"PROBABILITY", false, true}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (std::int64_t row = 0; row < loaded.table.rows; ++row) {
    const std::span<const float> one(outputs.data() + static_cast<std::size_t>(row) * width, width);
    Json item = PredictionOf(loaded.file, one, row + 1);
    const Json& prediction = item["prediction"];
    const std::string text = prediction.is_string() ? prediction.get<std::string>() : fmt::format("{}", one[0]);
    table.Add({std::to_string(row + 1), text,
               item.contains("probability") ? Number(item["probability"].get<double>()) : std::string()});
    names.push_back(text);
    items.push_back(std::move(item));
  }
  PrintList(context, items, table, names);
  return Exit::kDone;
}

void DescribeUse(Command& c, const std::shared_ptr<UseOptions>& options) {
  c.Argument("MODEL", options->model, kModelOrFileHelp).Completes(Names::kModel);
  c.Option("--data", "FILE", options->data.path, "the file with the rows").Required().Completes(Names::kFile);
  c.Option("--label", "COLUMN", options->data.label, "csv: the column that holds the label or the target");
  c.Option("--label-path", "FILE", options->data.label_path, "idx and npy: the file of the labels")
      .Completes(Names::kFile);
  c.Option("--ignore", "COLUMNS", options->data.ignore, "csv: columns that are neither feature nor label");
  c.Option("--format", "FORMAT", options->data.format, "the format of the file");
  c.Option("--missing", "VALUES", options->data.missing,
           "spellings of a value that is missing, for a model that was trained with such");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kNotFound, Exit::kVerification});
}

}  // namespace

Command EvaluateCommand() {
  auto options = std::make_shared<UseOptions>();
  Command c("evaluate", "measure a model on the rows of a file");
  c.About(
      "Runs on this machine: the rows go nowhere. Prints loss, accuracy and, for two classes, AUC; for values, RMSE.");
  DescribeUse(c, options);
  c.Example("ote model evaluate digits --data test.csv --label digit", "a model of the registry");
  c.Example("ote model evaluate digits.safetensors --data test.csv --label digit -o json", "a file, with no agent");
  c.Does([options](Context& context) { return Evaluate(context, *options); });
  return c;
}

Command PredictCommand() {
  auto options = std::make_shared<UseOptions>();
  Command c("predict", "apply a model to the rows of a file");
  c.About(
      "Runs on this machine: the rows go nowhere. Prints the class or the value of each row; with -o json the "
      "probabilities of all classes. The label column is read and not used.");
  DescribeUse(c, options);
  c.Example("ote model predict digits --data test.csv --label digit", "a model of the registry");
  c.Example("ote model predict digits.safetensors --data test.csv --label digit -q", "the classes alone, from a file");
  c.Does([options](Context& context) { return Predict(context, *options); });
  return c;
}

}  // namespace ote::cli
