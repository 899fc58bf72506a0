// ote model import: a file becomes the next version of a model.
//
// The file is read here, by the user who has it, and made into a model file as ote writes them; the agent is sent that.
#include <fmt/format.h>

#include "cli/by_hand/model.h"
#include "cli/frame/artifacts.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/model/commands.h"
#include "core/base/files.h"
#include "core/federate/exchange.h"
#include "crypto/digest.h"

namespace ote::cli {
namespace {

struct ImportOptions {
  std::filesystem::path file;
  std::string name;
  std::filesystem::path spec;
  std::vector<std::string> tags;
  std::optional<api::DataTask> task;
  std::vector<std::string> classes;
};

Result<federate::ModelFile> ReadModel(const Context& context, const ImportOptions& options, ByteView bytes) {
  if (options.file.extension() == ".onnx") return federate::ReadOnnxFile(bytes, options.task, options.classes);
  if (!options.spec.empty()) {
    OTE_TRY(const std::string text, ReadTextFile(context.Absolute(options.spec), 1 << 20));
    OTE_TRY(const auto spec, FromYaml<federate::ForeignSpec>(text, options.spec.string()));
    return federate::ReadForeignModel(bytes, spec);
  }
  auto model = federate::ReadModelFile(bytes);
  if (!model && !federate::IsModelFileOfOte(bytes)) {
    Error error = std::move(model).error();
    error.hint = "tell what its tensors are with --spec FILE";
    return Fail(std::move(error));
  }
  return model;
}

Result<Exit> Import(Context& context, const ImportOptions& options) {
  for (const std::string& tag : options.tags) OTE_CHECK(api::CheckTag(tag));
  if (IsBundle(context.Absolute(options.file))) {
    return ImportModelBundle(context, options.file, options.name, options.tags);
  }
  if (options.name.empty()) {
    return Fail(ErrorId::kUsage, "ote model import: --name is missing", "give the model a name: --name digits");
  }
  OTE_CHECK(CheckName("model", options.name));
  const std::filesystem::path path = context.Absolute(options.file);
  OTE_TRY(const Bytes bytes, ReadFile(path));
  auto model = ReadModel(context, options, bytes);
  if (!model) {
    Error error = std::move(model).error();
    error.message = fmt::format("{}: {}", options.file.string(), error.message);
    return Fail(std::move(error));
  }
  const Bytes file = federate::MakeModelFile(*model, model->values);
  const std::string digest = crypto::DigestOf(file).ToString();
  if (context.flags.dry_run) {
    Say(context, "nothing was imported");
    PrintOne(context, {{"name", options.name}, {"digest", digest}}, digest + "\n", digest);
    return Exit::kDone;
  }
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_CHECK(AgentUpload(context, link, digest, static_cast<std::int64_t>(file.size())).Take(file));
  OTE_TRY(const auto entry, link.Ask<api::ModelEntry>(api::verb::kModelImport,
                                                      api::ModelImportRequest{options.name, digest, options.tags},
                                                      context.Patience(kQuick)));
  PrintOne(context, ToJson(entry),
           FactsText({{"model", entry.Key()},
                      {"tags", Join(entry.tags, ", ")},
                      {"kind", std::string(NameOf(entry.model.kind))},
                      {"parameters", std::to_string(entry.parameters)},
                      {"digest", entry.digest}}),
           entry.Key());
  Next(context, fmt::format("ote model show {}", entry.Key()));
  return Exit::kDone;
}

}  // namespace

Command ImportCommand() {
  auto options = std::make_shared<ImportOptions>();
  Command c("import", "add a model from a file to the registry");
  c.About(
      "It becomes the next version of NAME; the same file as the newest version adds none. Reads .safetensors files of "
      "ote and, when --spec tells what they hold, others whose tensors are float32 and have the names and shapes of "
      "that model. SPEC is YAML: model as in a run file, task, features, and classes by name. Of .onnx files it reads "
      "chains of Gemm, or MatMul and Add, with Relu, Tanh and Softmax, and refuses every other operator. A bundle "
      "that was carried here is checked to be from the root and for this cluster.");
  c.Argument("FILE", options->file, "the file").Completes(Names::kFile);
  c.Option("--name", "NAME", options->name, "the name in the registry").Completes(Names::kModel);
  c.Fallback("of a bundle, the one that it has at the root");
  c.Option("--spec", "SPEC", options->spec, "what the tensors of a file are that ote did not write")
      .Completes(Names::kFile);
  c.Option("--task", "TASK", options->task, "onnx: what it does when it does not end in Softmax")
      .Fallback("regression");
  c.Option("--classes", "NAMES", options->classes, "onnx: what its classes are called, in their order");
  c.Fallback("as ote wrote them, or 0, 1, …");
  c.Option("--tag", "TAG", options->tags, "tags for the new version");
  c.Example("ote model import digits.safetensors --name digits", "a file that ote model export wrote");
  c.Example("ote model import weights.safetensors --name digits --spec model.yaml --tag candidate", "another's");
  c.Example("ote model import digits.bundle", "a model that was carried here");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound, Exit::kVerification});
  c.Changes();
  c.Does([options](Context& context) { return Import(context, *options); });
  return c;
}

}  // namespace ote::cli
