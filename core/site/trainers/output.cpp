#include "core/site/trainers/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <system_error>

#include "core/base/codec.h"
#include "core/learn/safetensors.h"

namespace ote::site {
namespace {

constexpr std::size_t kMostNumbers = 64;
constexpr std::string_view kUpdate = "update.safetensors";

tl::unexpected<Error> Bad(std::string_view file, std::string_view why) {
  return Fail(ErrorId::kTrainerOutput, fmt::format("{}: {}", file, why));
}

std::string ShapeText(const learn::TensorInfo& tensor) { return fmt::format("[{}]", fmt::join(tensor.shape, ", ")); }

}  // namespace

Result<TrainerMetrics> ParseTrainerMetrics(std::string_view text) {
  constexpr std::string_view kFile = "metrics.json";
  const auto json = ParseJson(text);
  if (!json) return Bad(kFile, json.error().message);
  auto metrics = FromWire<TrainerMetrics>(*json);
  if (!metrics) return Bad(kFile, metrics.error().message);
  if (!std::isfinite(metrics->loss)) return Bad(kFile, "loss is not finite");
  if (metrics->steps && !(std::isfinite(*metrics->steps) && *metrics->steps > 0)) {
    return Bad(kFile, "steps is not a number above zero");
  }
  if (metrics->metrics.size() > kMostNumbers) return Bad(kFile, fmt::format("more than {} metrics", kMostNumbers));
  for (const auto& [name, value] : metrics->metrics) {
    if (!std::isfinite(value)) return Bad(kFile, fmt::format("metrics.{} is not finite", name));
  }
  return std::move(*metrics);
}

Result<void> TakeWeights(ByteView file, const learn::Layout& layout, std::span<float> parameters) {
  const auto view = learn::ReadSafetensors(file);
  if (!view) return Bad(kUpdate, view.error().message);
  std::map<std::string_view, std::size_t> offsets;  // in bytes
  std::size_t offset = 0;
  for (const auto& tensor : view->layout) {
    offsets.emplace(tensor.name, offset);
    offset += static_cast<std::size_t>(tensor.Count()) * sizeof(float);
  }
  std::size_t at = 0;
  for (const auto& wanted : layout) {
    const auto there = std::find_if(view->layout.begin(), view->layout.end(),
                                    [&](const auto& tensor) { return tensor.name == wanted.name; });
    if (there == view->layout.end()) return Bad(kUpdate, fmt::format("tensor {} is missing", wanted.name));
    if (there->shape != wanted.shape) {
      return Bad(kUpdate, fmt::format("tensor {} has the shape {}, and the model's is {}", wanted.name,
                                      ShapeText(*there), ShapeText(wanted)));
    }
    const auto count = static_cast<std::size_t>(wanted.Count());
    const auto into = parameters.subspan(at, count);
    if (count > 0) std::memcpy(into.data(), view->data.data() + offsets.at(wanted.name), count * sizeof(float));
    if (!std::all_of(into.begin(), into.end(), [](float value) { return std::isfinite(value); })) {
      return Fail(ErrorId::kTrainerOutput,
                  fmt::format("{}: tensor {} has a value that is NaN or infinite", kUpdate, wanted.name),
                  "a smaller learning rate usually helps");
    }
    at += count;
  }
  if (view->layout.size() != layout.size()) {
    for (const auto& tensor : view->layout) {
      const bool known =
          std::any_of(layout.begin(), layout.end(), [&](const auto& t) { return t.name == tensor.name; });
      if (!known) return Bad(kUpdate, fmt::format("tensor {} is not one of the model's", tensor.name));
    }
  }
  return {};
}

Result<Bytes> ReadLeft(const std::filesystem::path& folder, const std::string& name, std::uint64_t limit) {
  const auto path = folder / name;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    const int why = errno;
    if (why == ENOENT) return Bad(name, "it was not left");
    return Bad(name, why == ELOOP ? "it is a link" : std::generic_category().message(why));
  }
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } const closer{fd};
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return Bad(name, "it is not a regular file");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > limit) return Bad(name, fmt::format("{} bytes, and at most {} are read", size, limit));
  Bytes bytes(size);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(fd, bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Bad(name, "it cannot be read");
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::uint64_t MostWeights(const learn::Layout& layout) noexcept {
  constexpr std::uint64_t kHeader = (1 << 20) + 64;
  return kHeader + 4 * static_cast<std::uint64_t>(std::max<std::int64_t>(0, learn::TotalCount(layout)));
}

}  // namespace ote::site
