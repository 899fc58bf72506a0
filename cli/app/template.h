// Templates of app files: a head that describes the values, a line of ---, and the app file with {{names}} in it.
//
// A value is checked by its type and put in so that it stays one value, whatever is in it: text and secrets become a
// quoted scalar; a name (as of a cluster) and a port go in as they are, and may stand inside a quoted scalar. The
// section {{#has_NAME}} is there when NAME has a value.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/codec.h"
#include "core/base/result.h"

namespace ote::cli {

enum class TemplateType { kText, kName, kQuantity, kPort, kSecret };

struct TemplateValue {
  std::string name;
  TemplateType type = TemplateType::kText;
  bool required = false;
  std::optional<std::string> fallback;
  std::string description;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("type", self.type);
    v("required", self.required);
    v("default", self.fallback);
    v("description", self.description, kRequired);
  }
};

struct Template {
  std::string name;
  std::string about;
  std::vector<TemplateValue> values;
  std::string body;
};

// `file` is what messages call it. kTemplateInvalid for a head that cannot be read, and for a {{name}} that it does not
// describe.
Result<Template> ReadTemplate(std::string_view text, const std::string& name, const std::string& file);

using TemplateInput = std::map<std::string, std::string>;
// The app file. kTemplateInvalid naming the value that is missing, unknown (with the nearest one), or not of its type.
Result<std::string> FillTemplate(const Template& with, const TemplateInput& input);

// A YAML scalar in double quotes (YAML 1.2, section 5.7), in one line. kTemplateInvalid when it is not UTF-8.
Result<std::string> QuoteYaml(std::string_view text);

}  // namespace ote::cli

template <>
struct ote::EnumNames<ote::cli::TemplateType> {
  using E = ote::cli::TemplateType;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kText, "text"}, {E::kName, "name"}, {E::kQuantity, "quantity"}, {E::kPort, "port"}, {E::kSecret, "secret"}};
};
