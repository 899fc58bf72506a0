// fuzz-link: ote_agent_lib
// A watch stream: cut anywhere it gives the same objects, and what they tell is read without a crash.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "agent/shim/kubernetes/json.h"
#include "agent/shim/kubernetes/status.h"
#include "agent/shim/kubernetes/stream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = ote::AsText({data + 1, size - 1});
  const auto read = [text](std::size_t step) {
    ote::kube::ObjectSplitter splitter(4096);
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size(); at += step) {
      const bool more = splitter.Feed(text.substr(at, step), [&out](std::string_view object) {
        out.emplace_back(object);
        return true;
      });
      if (!more) break;
    }
    return out;
  };
  const auto bytewise = read(1);
  if (size <= 4096 && read(1U + data[0]) != bytewise) std::abort();
  for (const auto& object : bytewise) {
    const auto json = ote::kube::ParseAnswer(object);
    if (!json) continue;
    const ote::Json& inner = ote::kube::At(*json, {"object"});
    (void)ote::kube::ReadPod(inner);
    (void)ote::kube::ReadWork(inner);
    (void)ote::kube::ReadNode(inner);
    (void)ote::kube::ReadEvent(inner);
  }
  return 0;
}
