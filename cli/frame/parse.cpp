#include "cli/frame/parse.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <optional>

#include "core/base/ids.h"

namespace ote::cli {
namespace {

// Flags that may stand before the verb and take a value.
bool TakesValue(const std::vector<Parameter>& globals, const std::string& arg) {
  return std::any_of(globals.begin(), globals.end(), [&](const Parameter& p) {
    return !p.value.empty() && std::find(p.names.begin(), p.names.end(), arg) != p.names.end();
  });
}

Error UnknownWord(const std::string& path, const Command& at, const std::string& word) {
  std::vector<std::string_view> known;
  for (const Command& child : at.children()) known.push_back(child.name());
  const std::string_view near = Nearest(word, known);
  return Error{
      ErrorId::kUsage,
      fmt::format("{} {}: no such command{}", path, word, near.empty() ? "" : fmt::format("; did you mean {}?", near)),
      path + " --help"};
}

Error UnknownFlag(const std::string& words, const std::vector<Parameter>& all, const std::string& arg) {
  std::vector<std::string_view> known;
  for (const Parameter& p : all) {
    for (const std::string& name : p.names) {
      if (name.size() > 2) known.push_back(name);
    }
  }
  const std::string flag = arg.substr(0, arg.find('='));
  const std::string_view near = flag.size() > 2 ? Nearest(flag, known) : std::string_view();
  return Error{ErrorId::kUsage,
               fmt::format("{}: no such flag{}", flag, near.empty() ? "" : fmt::format("; did you mean {}?", near)),
               words + " --help"};
}

bool Has(const Parameter& p, const std::string& name) {
  return std::find(p.names.begin(), p.names.end(), name) != p.names.end();
}

// A verb that writes a file has -o FILE. The name of a format stays one there too, as everywhere: -o json.
Parameter FileOrFormat(Parameter p, Globals& flags) {
  p.repeats = true;
  p.set = [&flags, set = std::move(p.set)](const std::string& text) -> Result<void> {
    const auto format = EnumOf<Format>(text);
    if (!format) return set(text);
    flags.output = *format;
    return {};
  };
  return p;
}

// One parameter as CLI11 knows it, and what went wrong in reading its value.
class Parser {
 public:
  Parser(const std::string& words, const std::vector<Parameter>& all) : words_(words), all_(all) {
    app_.set_help_flag("");
    app_.allow_extras(true);
    for (const Parameter& p : all_) Bind(p);
  }

  Result<void> Parse(std::vector<std::string> args) {
    std::reverse(args.begin(), args.end());
    try {
      app_.parse(std::move(args));
    } catch (const CLI::ParseError& e) {
      if (error_) return Fail(std::move(*error_));
      return Fail(ErrorId::kUsage, fmt::format("{}: {}", words_, Lower(e.what())), words_ + " --help");
    }
    if (error_) return Fail(std::move(*error_));
    for (const std::string& left : app_.remaining()) {
      if (left.size() > 1 && left[0] == '-') return Fail(UnknownFlag(words_, all_, left));
    }
    for (const std::string& left : app_.remaining()) {
      return Fail(ErrorId::kUsage, fmt::format("{}: one argument too many", left), words_ + " --help");
    }
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].required && options_[i]->count() == 0) {
        return Fail(ErrorId::kUsage, fmt::format("{}: {} is missing", words_, all_[i].Name()), words_ + " --help");
      }
    }
    return {};
  }

 private:
  void Bind(const Parameter& p) {
    std::string names;
    for (const std::string& name : p.names) names += (names.empty() ? "" : ",") + name;
    CLI::Option* option = nullptr;
    const CLI::callback_t read = [this, &p](const CLI::results_t& values) { return Read(p, values); };
    if (p.IsArgument()) {
      option = app_.add_option(p.value, read);
      if (p.repeats) {
        option->expected(1, CLI::detail::expected_max_vector_size);
        option->allow_extra_args(true);
        option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      }
    } else if (p.value.empty()) {
      option = app_.add_flag_callback(names, [this, &p] { Read(p, {"true"}); });
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    } else {
      option = app_.add_option(names, read);
      option->expected(1);
      if (p.repeats) option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
    options_.push_back(option);
  }

  bool Read(const Parameter& p, const CLI::results_t& values) {
    for (const std::string& value : values) {
      auto read = p.set(value);
      if (!read && !error_) {
        error_ = std::move(read).error().Context(p.Name());
        if (error_->hint.empty()) error_->hint = words_ + " --help";
      }
    }
    return !error_;
  }

  static std::string Lower(std::string text) {
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
    while (!text.empty() && (text.back() == '.' || text.back() == '\n')) text.pop_back();
    return text;
  }

  const std::string& words_;
  const std::vector<Parameter>& all_;
  CLI::App app_;
  std::vector<CLI::Option*> options_;
  std::optional<Error> error_;
};

}  // namespace

std::string Resolved::Words() const {
  std::string words;
  for (const Command* command : path) words += (words.empty() ? "" : " ") + command->name();
  return words;
}

Result<Resolved> Resolve(const Command& root, const std::vector<std::string>& args) {
  Globals unused;
  const auto globals = GlobalParameters(unused, true);
  Resolved resolved;
  resolved.path.push_back(&root);
  bool words = true;  // until the last verb, or a word that cannot be one
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg == "--") {
      resolved.rest.insert(resolved.rest.end(), args.begin() + static_cast<std::ptrdiff_t>(i), args.end());
      break;
    }
    if (arg == "-h" || arg == "--help") {
      resolved.help = true;
    } else if (!words || (arg.size() > 1 && arg[0] == '-')) {
      resolved.rest.push_back(arg);
      if (words && TakesValue(globals, arg) && i + 1 < args.size()) resolved.rest.push_back(args[++i]);
    } else if (const Command* child = resolved.Last().Find(arg)) {
      resolved.path.push_back(child);
      words = !child->children().empty();
    } else {
      if (!resolved.Last().act()) return Fail(UnknownWord(resolved.Words(), resolved.Last(), arg));
      resolved.rest.push_back(arg);
      words = false;
    }
  }
  return resolved;
}

Result<void> Parse(const Resolved& resolved, Globals& flags) {
  std::vector<Parameter> all = resolved.Last().parameters();
  for (Parameter& mine : all) {
    if (Has(mine, "-o")) mine = FileOrFormat(std::move(mine), flags);
  }
  for (Parameter& p : GlobalParametersOf(resolved.Last(), flags)) all.push_back(std::move(p));
  const std::string words = resolved.Words();
  return Parser(words, all).Parse(resolved.rest);
}

}  // namespace ote::cli
