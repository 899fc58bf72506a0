// ote version: local only, within ten milliseconds.
#include "core/base/version.h"

#include <fmt/format.h>

#include "cli/alone/commands.h"
#include "cli/frame/output.h"
#include "core/api/requests.h"
#include "core/learn/model.h"

namespace ote::cli {
namespace {

Result<Exit> ShowVersion(Context& context) {
  const std::string kernel(learn::KernelName());
  Json libraries = Json::object();
  for (const auto& [name, version] : std::map<std::string, std::string>{
           {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
           {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                         NLOHMANN_JSON_VERSION_PATCH)},
           {"cli11", OTE_CLI11_VERSION},
           {"libsodium", OTE_SODIUM_VERSION},
           {"zeromq", OTE_ZMQ_VERSION},
           {"eigen", OTE_EIGEN_VERSION},
           {"yaml-cpp", OTE_YAML_VERSION},
           {"sqlite", OTE_SQLITE_VERSION}}) {
    libraries[name] = version;
  }
  const Json document{{"version", Version()},
                      {"commit", Commit()},
                      {"protocol", {{"min", api::kProtocolVersion}, {"max", api::kProtocolVersion}}},
                      {"kernel", kernel},
                      {"compiler", __VERSION__},
                      {"libraries", libraries}};
  std::string list;
  for (const auto& [name, version] : libraries.items()) {
    list += (list.empty() ? "" : ", ") + name + " " + version.get<std::string>();
  }
  PrintOne(context, document,
           FactsText({{"ote", std::string(Version())},
                      {"commit", std::string(Commit())},
                      {"protocol", fmt::format("{} to {}", api::kProtocolVersion, api::kProtocolVersion)},
                      {"kernel", kernel},
                      {"libraries", list}}),
           std::string(Version()));
  return Exit::kDone;
}

}  // namespace

Command VersionCommand() {
  Command c("version", "print version, protocol range, libraries and the CPU kernel in use");
  c.About("Looks at nothing but this program and the processor: no network, no state folder.");
  c.Example("ote version", "for people");
  c.Example("ote version -o json", "for a program");
  c.Does([](Context& context) { return ShowVersion(context); });
  return c;
}

}  // namespace ote::cli
