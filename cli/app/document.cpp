#include "cli/app/document.h"

#include <fmt/format.h>

#include <istream>
#include <iterator>

#include "cli/frame/artifacts.h"
#include "core/base/files.h"
#include "core/tree/selector.h"

namespace ote::cli {

void AddAppFlags(Command& command, AppFlags& flags, bool file_required) {
  command.Option("-f,--file", "FILE", flags.file, "the app file, ote-app(5); - for standard input")
      .Completes(Names::kFile);
  if (file_required) command.Required();
  command.Option("--name", "NAME", flags.name, "what the app is called, for manifests that do not say");
  command.Option("--selector", "SELECTOR", flags.selector,
                 "the clusters that it goes to, such as region=eu,tier!=lab; in place of the file's");
  command.Option("--cluster", "NAMES", flags.clusters, "these clusters, by name; in place of the file's")
      .Completes(Names::kCluster);
  command.Switch("--all", flags.all, "every cluster below this agent, and itself");
}

Result<api::AppDocument> ReadApp(Context& context, const AppFlags& flags) {
  std::string text;
  if (flags.file == "-") {
    text.assign(std::istreambuf_iterator<char>(context.in), {});
  } else {
    OTE_TRY(text, ReadTextFile(context.Absolute(flags.file), 1 << 20));
  }
  const auto folder = flags.file == "-" ? context.folder : context.Absolute(flags.file).parent_path();
  api::AppFileReader reader;
  reader.file = [folder](const std::filesystem::path& path) { return ReadFile(folder / path); };
  reader.variable = [&context](const std::string& name) -> Result<std::string> {
    if (auto value = context.env ? context.env(name) : std::nullopt) return std::move(*value);
    return Fail(ErrorId::kAppInvalid, fmt::format("{}: the variable is not set", name), "export it before the command");
  };
  reader.selector = [](std::string_view selector) -> Result<void> {
    if (selector == "*") return {};
    OTE_CHECK(tree::Selector::Parse(selector));
    return {};
  };
  OTE_TRY(auto document,
          api::ReadAppFile(text, flags.file == "-" ? "standard input" : flags.file.string(), flags.name, reader));
  auto& placement = document.spec.placement;
  if (!flags.name.empty() && document.spec.name != flags.name) {
    return Fail(ErrorId::kUsage, fmt::format("--name {}: the file calls it {}", flags.name, document.spec.name));
  }
  if (flags.all && (!flags.selector.empty() || !flags.clusters.empty())) {
    return Fail(ErrorId::kUsage, "--all: not together with --selector or --cluster");
  }
  if (flags.all || !flags.selector.empty() || !flags.clusters.empty()) {
    placement.selector = flags.all ? "*" : flags.selector;
    placement.clusters = flags.clusters;
    if (!flags.selector.empty()) OTE_CHECK(reader.selector(flags.selector));
  }
  if (placement.Empty()) {
    return Fail(ErrorId::kSelectorEmpty, fmt::format("app {}: it is not said where it goes", document.spec.name),
                "--selector region=eu, --cluster NAME, or --all");
  }
  return document;
}

Result<void> Upload(Context& context, AgentLink& link, const api::AppDocument& document) {
  for (const auto& artifact : document.artifacts) {
    OTE_CHECK(AgentUpload(context, link, artifact.digest, static_cast<std::int64_t>(artifact.bytes.size()))
                  .Take(artifact.bytes));
  }
  return {};
}

}  // namespace ote::cli
