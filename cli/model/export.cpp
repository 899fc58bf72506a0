// ote model export: a model's file, as it is or as arrays for numpy.
#include <fmt/format.h>

#include "cli/by_hand/model.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/model/commands.h"
#include "core/base/files.h"
#include "core/federate/exchange.h"
#include "core/learn/npy.h"
#include "crypto/digest.h"

namespace ote::cli {
namespace {

enum class ExportFormat { kSafetensors, kNpy, kOnnx, kBundle };

struct ExportOptions {
  std::string model;
  ExportFormat format = ExportFormat::kSafetensors;
  std::filesystem::path to;
  bool force = false;
  std::string cluster;  // bundle
  std::string split;
};

}  // namespace
}  // namespace ote::cli

template <>
struct ote::EnumNames<ote::cli::ExportFormat> {
  using E = ote::cli::ExportFormat;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kSafetensors, "safetensors"}, {E::kNpy, "npy"}, {E::kOnnx, "onnx"}, {E::kBundle, "bundle"}};
};

namespace ote::cli {
namespace {

// Another file of the same name is not overwritten; the same content is fine.
Result<void> Put(const std::filesystem::path& path, ByteView content, bool force) {
  std::error_code ignored;
  if (!force && std::filesystem::exists(path, ignored)) {
    OTE_TRY(const Bytes there, ReadFile(path));
    if (std::equal(there.begin(), there.end(), content.begin(), content.end())) return {};
    return Fail(ErrorId::kConflict, path.string() + ": is there already, and different",
                "choose another --to, or give --force");
  }
  return WriteFileAtomic(path, content);
}

Result<std::vector<std::string>> PutArrays(const std::filesystem::path& folder, const federate::ModelFile& model,
                                           bool force) {
  OTE_CHECK(MakeFolder(folder));
  std::vector<std::string> files;
  std::span<const float> rest(model.values);
  for (const learn::TensorInfo& tensor : model.layout) {
    const auto count = static_cast<std::size_t>(tensor.Count());
    const std::filesystem::path path = folder / (tensor.name + ".npy");
    OTE_CHECK(Put(path, learn::WriteNpy(tensor, rest.first(count)), force));
    rest = rest.subspan(count);
    files.push_back(path.string());
  }
  return files;
}

Result<Exit> Export(Context& context, const ExportOptions& options) {
  if (options.format == ExportFormat::kBundle) {
    return ExportModelBundle(context, options.model, options.cluster, {options.to, options.split, options.force});
  }
  api::ModelEntry entry;
  OTE_TRY(const Bytes file, FetchModelFile(context, options.model, &entry));
  OTE_TRY(const federate::ModelFile model, federate::ReadModelFile(file));
  std::string stem = entry.name.empty() ? std::filesystem::path(options.model).stem().string() : entry.name;
  std::vector<std::string> files;
  if (options.format != ExportFormat::kNpy) {
    const std::string name = fmt::format("{}.{}", stem, NameOf(options.format));
    const std::filesystem::path path = context.Absolute(options.to.empty() ? name : options.to.string());
    Bytes onnx;
    if (options.format == ExportFormat::kOnnx) {
      OTE_TRY(onnx, federate::WriteOnnxFile(model, model.preparation));
    }
    if (!context.flags.dry_run) OTE_CHECK(Put(path, onnx.empty() ? file : onnx, options.force));
    files.push_back(path.string());
  } else {
    const std::filesystem::path folder = context.Absolute(options.to.empty() ? stem + "-npy" : options.to.string());
    if (!context.flags.dry_run) {
      OTE_TRY(files, PutArrays(folder, model, options.force));
    }
  }
  const std::string digest = crypto::DigestOf(file).ToString();
  if (context.flags.dry_run) Say(context, "nothing was written");
  PrintOne(context, {{"model", stem}, {"digest", digest}, {"format", NameOf(options.format)}, {"files", files}},
           Join(files, "\n") + "\n", Join(files, "\n"));
  return Exit::kDone;
}

}  // namespace

Command ExportCommand() {
  auto options = std::make_shared<ExportOptions>();
  Command c("export", "write a model to a file");
  c.About(
      "safetensors is the file that the digest is of: `b2sum -l 256` of it gives the model's digest. npy writes one "
      "file a tensor, for numpy.load. onnx is for other programs, and for every kind of model: it takes the rows as "
      "they are before the run's preparation, with NaN where a value is missing, and gives what ote model predict "
      "gives. It takes operators of opset 13, and for gbt TreeEnsembleRegressor of ai.onnx.ml 3. A model whose columns "
      "hold categories is not written as onnx. bundle is signed, and sealed to one member, to be carried to it "
      "(ote-bundle(5)). A file that is there with other content is not overwritten.");
  c.Argument("MODEL", options->model, kModelOrFileHelp).Completes(Names::kModel);
  c.Option("--format", "FORMAT", options->format, "a safetensors or onnx file, or a folder of npy files");
  c.Option("-o,--to", "PATH", options->to, "where it is written").Completes(Names::kFile);
  c.Fallback("MODEL.safetensors, MODEL.onnx, or MODEL-npy");
  c.Switch("--force", options->force, "overwrite what is there");
  c.Option("--for", "CLUSTER", options->cluster, "bundle: the member that may open it").Completes(Names::kCluster);
  c.Option("--split", "SIZE", options->split, "bundle: write parts of at most this size, such as 3900MiB");
  c.Example("ote model export digits --format safetensors", "digits.safetensors");
  c.Example("ote model export digits@production --format onnx", "digits.onnx, of the version in use");
  c.Example("ote model export digits --format npy --to arrays", "arrays/layers.0.weight.npy and so on");
  c.Example("ote model export digits --format bundle --for clinic-c -o digits.bundle", "for a site without a network");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound, Exit::kVerification});
  c.Changes();
  c.Does([options](Context& context) { return Export(context, *options); });
  return c;
}

}  // namespace ote::cli
