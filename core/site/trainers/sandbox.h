// bubblewrap(1) around a trainer: no network, no other processes, a read-only view of the system and of its own rows,
// and nothing of the agent's state folder but the folder of its task. What it holds and what not: ote-security(7).
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/api/trainer.h"
#include "core/base/result.h"

namespace ote::site {

// Whether sandboxes can be made here, found out by making one.
struct SandboxSupport {
  std::string program;  // the path of bwrap; "" when sandboxes cannot be made
  std::string why_not;
};
// Starts a process; milliseconds. Any thread.
SandboxSupport FindSandbox(const std::filesystem::path& folder, const std::stop_token& stop);

struct SandboxView {
  std::filesystem::path state;      // hidden
  std::filesystem::path task;       // to be written
  std::vector<std::string> inputs;  // files of the data set: to be read
};
// The words that run `argv` in a sandbox. To be read are the system's programs and libraries, `view.inputs`,
// trainer.read, and the folders in which files lie that `named` has, the words of the command as they were registered;
// of a .../bin/PROGRAM the folder above, as virtual environments want it. From a folder at the top, or a home, the file
// comes alone.
std::vector<std::string> InSandbox(const std::string& bwrap, const api::Trainer& trainer, const SandboxView& view,
                                   const std::vector<std::string>& named, const std::vector<std::string>& argv);

}  // namespace ote::site
