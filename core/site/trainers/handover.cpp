#include "core/site/trainers/handover.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <span>

#include "core/base/files.h"
#include "core/learn/npy.h"

namespace ote::site {
namespace {

namespace fs = std::filesystem;

// The pieces one after the other. Not synced: it is made anew after a crash.
Result<void> WritePlain(const fs::path& path, std::initializer_list<ByteView> pieces) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return Fail(FileError("make", path, errno));
  for (auto piece : pieces) {
    while (!piece.empty()) {
      const ssize_t put = ::write(fd, piece.data(), piece.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        const int why = errno;
        ::close(fd);
        return Fail(FileError("write", path, why));
      }
      piece = piece.subspan(static_cast<std::size_t>(put));
    }
  }
  if (::close(fd) != 0) return Fail(FileError("write", path, errno));
  return {};
}

Result<void> WriteArray(const fs::path& path, std::vector<std::int64_t> shape, std::span<const float> values) {
  const Bytes header = learn::NpyHeader(shape);
  return WritePlain(path, {header, {reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()}});
}

Result<void> WriteNumbers(const fs::path& path, std::span<const std::int64_t> numbers) {
  std::string text;
  for (const auto number : numbers) text += fmt::format("{}\n", number);
  return WritePlain(path, {AsBytes(text)});
}

}  // namespace

Json DescribeTask(const api::Task& task, const learn::Table& train, const api::Dataset& dataset) {
  Json model = ToJson(task.model);
  Json data = {{"name", dataset.name},
               {"path", dataset.path},
               {"labelPath", dataset.label_path},
               {"format", NameOf(dataset.format)},
               {"label", dataset.label},
               {"ignore", dataset.ignore}};
  Json rows = {{"train", train.rows},
               {"columns", train.columns},
               {"names", train.feature_names},
               {"features", "features.npy"},
               {"targets", "targets.npy"},
               {"trainRows", "train_rows.txt"},
               {"heldOutRows", "held_out_rows.txt"}};
  return {{"version", 1},
          {"run", task.run},
          {"round", task.round},
          {"seed", task.seed.value},
          {"deadline", task.deadline},
          {"task", NameOf(task.task)},
          {"features", task.features},
          {"classes", task.classes},
          {"model", std::move(model)},
          {"training", ToJson(task.training)},
          {"local", ToJson(task.local)},
          {"preparation", ToJson(task.preparation)},
          {"data", std::move(data)},
          {"rows", std::move(rows)}};
}

Result<Handover> WriteHandover(const fs::path& folder, const api::Task& task, const federate::ModelFile& given,
                               const learn::Table& train, const api::Dataset& dataset) {
  std::error_code error;
  fs::remove_all(folder, error);
  Handover handover;
  handover.folder = folder;
  OTE_CHECK(MakeFolder(folder, 0700));
  OTE_CHECK(MakeFolder(handover.Output(), 0700));
  OTE_CHECK(MakeFolder(folder / "tmp", 0700));
  const std::string description = DumpJson(DescribeTask(task, train, dataset), 2) + "\n";
  OTE_CHECK(WritePlain(folder / "task.json", {AsBytes(description)}));
  OTE_CHECK(WritePlain(folder / "model.safetensors", {federate::MakeModelFile(given, given.values)}));
  OTE_CHECK(WriteArray(folder / "features.npy", {train.rows, train.columns}, train.features));
  OTE_CHECK(WriteArray(folder / "targets.npy", {train.rows}, train.targets));
  OTE_TRY(const auto split,
          learn::SplitRows(dataset.train_rows + dataset.test_rows, dataset.test_fraction, dataset.split_seed.value));
  OTE_CHECK(WriteNumbers(folder / "train_rows.txt", split.train));
  OTE_CHECK(WriteNumbers(folder / "held_out_rows.txt", split.test));
  handover.paths = {{"task", (folder / "task.json").string()},
                    {"model", (folder / "model.safetensors").string()},
                    {"data", dataset.path},
                    {"labels", dataset.label_path},
                    {"features", (folder / "features.npy").string()},
                    {"targets", (folder / "targets.npy").string()},
                    {"output", handover.Output().string()},
                    {"folder", folder.string()}};
  return handover;
}

}  // namespace ote::site
