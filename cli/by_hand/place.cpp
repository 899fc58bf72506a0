#include "cli/by_hand/place.h"

#include <fmt/format.h>

#include "core/base/units.h"

namespace ote::cli {
namespace {

constexpr std::uint64_t kLeastPart = 64 << 10;

}  // namespace

void AddPlaceFlags(Command& command, PlaceOptions& options, std::string what) {
  command.Option("-o,--out", "FILE", options.out, std::move(what)).Completes(Names::kFile);
  command.Option("--split", "SIZE", options.split,
                 "write parts of at most this size, FILE.001 and so on: 3900MiB for FAT");
  command.Switch("--force", options.force, "overwrite what is there");
}

Result<bundle::Place> PlaceOf(const Context& context, const PlaceOptions& options, std::string_view verb) {
  bundle::Place place;
  if (options.out.empty()) {
    return Fail(ErrorId::kUsage, fmt::format("{}: -o is missing", verb), "name the file that is written: -o FILE");
  }
  place.path = context.Absolute(options.out);
  place.force = options.force;
  if (!options.split.empty()) {
    OTE_TRY(place.split, ParseSize(options.split));
    if (place.split < kLeastPart) return Fail(ErrorId::kUsage, "--split: parts have 64 KiB or more");
  }
  return place;
}

Result<bundle::Bundle> OpenWhole(const Context& context, const std::filesystem::path& path) {
  const auto full = context.Absolute(path);
  OTE_TRY(auto bundle, bundle::Bundle::Open(full));
  OTE_TRY(const auto state, bundle.Check());
  OTE_CHECK(bundle::Judge(state, full));
  return bundle;
}

std::string PlacedText(const bundle::Packed& packed) {
  std::string text = fmt::format("{}, {}", packed.files.front().string(), FormatSize(packed.size));
  if (packed.files.size() > 1) text += fmt::format(", in {} parts", packed.files.size());
  return text;
}

Result<crypto::Fingerprint> ReadFingerprint(const std::string& text) {
  auto read = crypto::KeyFromText(text);
  if (!read) {
    return Fail(ErrorId::kUsage, "--fingerprint: it has 43 characters, as ote prints it",
                "the root tells it: ote cluster status");
  }
  return *read;
}

}  // namespace ote::cli
