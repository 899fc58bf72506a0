#include "core/api/model_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace ote::api {
namespace {

constexpr std::string_view kScheme = "blake2b:";

std::optional<std::int64_t> NumberOf(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool HasTag(const ModelEntry& entry, std::string_view tag) {
  return std::find(entry.tags.begin(), entry.tags.end(), tag) != entry.tags.end();
}

// The newest of those that `fits`.
template <class Fits>
const ModelEntry* Newest(std::span<const ModelEntry> models, const Fits& fits) {
  const ModelEntry* newest = nullptr;
  for (const ModelEntry& model : models) {
    if (fits(model) && (newest == nullptr || model.version > newest->version)) newest = &model;
  }
  return newest;
}

Result<ModelEntry> FindVersion(std::span<const ModelEntry> models, std::string_view name, std::string_view which) {
  const auto number = NumberOf(which);
  const ModelEntry* const found = Newest(models, [&](const ModelEntry& model) {
    return model.name == name && (number ? model.version == *number : HasTag(model, which));
  });
  if (found != nullptr) return *found;
  const bool known = std::any_of(models.begin(), models.end(), [&](const auto& model) { return model.name == name; });
  if (!known) {
    return Fail(ErrorId::kModelUnknown, fmt::format("model {}: no model has this name", name), "ote model list");
  }
  return Fail(ErrorId::kModelUnknown,
              fmt::format("model {}: it has no {} {}", name, number ? "version" : "version with the tag", which),
              "ote model list --all");
}

}  // namespace

std::string ModelEntry::Key() const { return fmt::format("{}@{}", name, version); }

Result<void> CheckTag(std::string_view tag) {
  OTE_CHECK(CheckName("tag", tag));
  if (!std::all_of(tag.begin(), tag.end(), [](char c) { return c >= '0' && c <= '9'; })) return {};
  return Fail(ErrorId::kUsage, fmt::format("tag {}: a number is a version, not a tag", tag));
}

Result<ModelEntry> FindModel(std::span<const ModelEntry> models, std::string_view reference) {
  if (const std::size_t at = reference.find('@'); at != std::string_view::npos) {
    return FindVersion(models, reference.substr(0, at), reference.substr(at + 1));
  }
  const auto* found = Newest(models, [&](const ModelEntry& model) { return model.name == reference; });
  if (found == nullptr) found = Newest(models, [&](const ModelEntry& model) { return model.run == reference; });
  if (found != nullptr && !reference.empty()) return *found;
  // "blake2b:" may be left out.
  std::string_view digits = reference;
  if (digits.starts_with(kScheme)) digits.remove_prefix(kScheme.size());
  found = nullptr;
  if (digits.size() >= kShortestDigest) {
    for (const ModelEntry& model : models) {
      const std::string_view digest = model.digest;
      if (!digest.starts_with(kScheme) || !digest.substr(kScheme.size()).starts_with(digits)) continue;
      // The same file may be registered more than once.
      if (found != nullptr && found->digest != model.digest) {
        return Fail(ErrorId::kModelAmbiguous, fmt::format("model {}: more than one digest begins so", reference),
                    "ote model list --all");
      }
      if (found == nullptr || model.created_at > found->created_at) found = &model;
    }
  }
  if (found != nullptr) return *found;
  return Fail(ErrorId::kModelUnknown, fmt::format("model {}: no model has this name, run or digest", reference),
              "ote model list");
}

}  // namespace ote::api
