// What the verbs about carried files share: where they are written, and how a bundle is read before it is believed.
#pragma once

#include <filesystem>
#include <string>

#include "cli/frame/command.h"
#include "core/bundle/open.h"
#include "core/bundle/pack.h"

namespace ote::cli {

struct PlaceOptions {
  std::filesystem::path out;
  std::string split;  // "3900MiB"
  bool force = false;
};
// -o, --split and --force.
void AddPlaceFlags(Command& command, PlaceOptions& options, std::string what);
// kUsage when -o is missing.
Result<bundle::Place> PlaceOf(const Context& context, const PlaceOptions& options, std::string_view verb);

// Opens a bundle, and reads all of it once: nothing of one that was altered, cut or lengthened is looked at further.
Result<bundle::Bundle> OpenWhole(const Context& context, const std::filesystem::path& path);

// "clinic-c.grant, 12 KiB, in 3 parts"
std::string PlacedText(const bundle::Packed& packed);

// 43 characters, as ote prints them. kUsage.
Result<crypto::Fingerprint> ReadFingerprint(const std::string& text);

}  // namespace ote::cli
