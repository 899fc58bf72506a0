// fuzz-link: ote_agent_lib
// What a shim's program says and what the files and lines of a supervisor hold: whatever it is, it is refused, or it is
// what the shim can go on with.
#include <cstdint>
#include <cstdlib>

#include "agent/shim/process/health.h"
#include "agent/shim/process/logs.h"
#include "agent/shim/process/spec.h"
#include "agent/shim/program/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  using namespace ote::agent;
  if (size < 1) return 0;
  const auto text = AsText(ByteView(data + 1, size - 1));
  switch (data[0] % 6) {
    case 0:
      if (const auto answer = program::ParseAnswer(text)) {
        if (answer->id ? answer->ok.has_value() == answer->error.has_value() : answer->ok || answer->error)
          std::abort();
      } else if (answer.error().id != ErrorId::kShimProtocol) {
        std::abort();
      }
      break;
    case 1:
      if (const auto spec = process::ParseSpec(text)) {
        for (const auto& file : spec->workload.files) {
          if (file.path.find("..") == 0 || file.path.find("/../") != std::string::npos) std::abort();
        }
        if (spec->workload.command.empty() || !process::ParseSpec(DumpJson(ToJson(*spec)))) std::abort();
      }
      break;
    case 2:
      if (const auto state = process::ParseState(text); state && state->pid < 0) std::abort();
      break;
    case 3:
      (void)process::ParseOrder(text);
      (void)process::ParseSupervisorLine(text);
      break;
    case 4:
      if (!IsUtf8(process::ParseLogLine(text, "r").text)) std::abort();
      break;
    default:
      if (const auto status = process::HttpStatus(text); status && (*status < 0 || *status > 999)) std::abort();
  }
  return 0;
}
