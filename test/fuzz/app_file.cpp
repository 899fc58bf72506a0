// fuzz-link: ote_api
// App files: no crash; what is read is valid, is read the same from its own CBOR, and manifests from what they were
// written as.
#include "core/api/app_file.h"

#include <cstdint>
#include <cstdlib>

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using ote::Bytes;
  using ote::Result;
  const std::string_view text = ote::AsText(ote::ByteView{data, size});
  ote::api::AppFileReader reader;
  reader.file = [](const std::filesystem::path&) -> Result<Bytes> { return Bytes{'x'}; };
  reader.variable = [](const std::string&) -> Result<std::string> { return std::string("v"); };
  const auto read = ote::api::ReadAppFile(text, "app.yaml", "app", reader);
  if (read) {
    Require(ote::api::Validate(read->spec).has_value());
    const auto again = ote::FromCbor<ote::api::AppSpec>(ote::ToCbor(read->spec));
    Require(again && *again == read->spec);
    if (const auto& manifests = read->spec.workload.manifests; !manifests.empty()) {
      const auto same = ote::api::ReadAppFile(manifests, "manifests", read->spec.name, reader);
      Require(same && same->spec.workload.manifests == manifests);
    }
  }
  if (const auto cpu = ote::api::ParseCpu(text)) Require(*cpu >= 0);
  if (const auto bytes = ote::api::ParseQuantity(text)) Require(*bytes >= 0);
  return 0;
}
