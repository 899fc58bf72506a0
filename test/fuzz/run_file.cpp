// fuzz-link: ote_api
// Run files: no crash; what is read is read the same from its own YAML and CBOR, and passes or fails its checks alike.
#include <cstdint>
#include <cstdlib>

#include "core/api/run.h"

namespace {

using ote::api::RunSpec;

void Require(bool holds) {
  if (!holds) std::abort();
}

void Check(const RunSpec& spec) {
  const bool valid = ote::api::Validate(spec).has_value();
  // A number that is not finite has no spelling in JSON; the checks refuse it.
  if (!valid) return;
  const auto cbor = ote::FromCbor<RunSpec>(ote::ToCbor(spec));
  Require(cbor && *cbor == spec);
  const auto yaml = ote::FromYaml<RunSpec>(ote::DumpYaml(ote::ToJson(spec)), "run.yaml");
  Require(yaml && *yaml == spec && ote::api::Validate(*yaml));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ote::ByteView input{data, size};
  if (const auto spec = ote::FromYaml<RunSpec>(ote::AsText(input), "run.yaml")) Check(*spec);
  if (const auto spec = ote::FromCbor<RunSpec>(input)) Check(*spec);
  return 0;
}
