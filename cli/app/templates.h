// ote app init and ote app templates.
#pragma once

#include "cli/app/template.h"
#include "cli/frame/command.h"

namespace ote::cli {

Command AppInitCommand();
Command AppTemplatesCommand();

// By name, of those that are installed (share/ote/apps). kTemplateUnknown with the nearest one.
Result<Template> LoadTemplate(const Context& context, const std::string& name);
// Their names, sorted.
Result<std::vector<std::string>> TemplateNames(const Context& context);

}  // namespace ote::cli
