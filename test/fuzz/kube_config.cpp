// fuzz-link: ote_agent_lib
// A kubeconfig and what a credential plugin prints: no crash, and no server that is not spoken to by TLS.
#include <cstdint>
#include <cstdlib>

#include "agent/shim/kubernetes/credentials.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = ote::AsText({data, size});
  if (const auto read = ote::kube::ParseKubeconfig(text, "f", "", "/nonexistent/folder")) {
    if (!read->server.starts_with("https://")) std::abort();
  }
  (void)ote::kube::ParseExecCredential(text, "client.authentication.k8s.io/v1");
  return 0;
}
