// YAML with any number of documents, as Kubernetes manifests come.
#pragma once

#include <string_view>
#include <vector>

#include "core/base/codec.h"

namespace ote {

struct YamlDocument {
  Json value;
  SourceMap map;  // lines are those of the whole text
};

// Each document is bounded as in ParseYaml; empty ones are left out. At most 1,000 documents and 16 MiB.
Result<std::vector<YamlDocument>> ParseYamlDocuments(std::string_view text, std::string_view file);

}  // namespace ote
