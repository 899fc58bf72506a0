#include "cli/docs/completions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ote::cli {
namespace {

// What completes the value of a parameter: "@file", "@cluster", …, or its choices, or "".
std::string Source(const Parameter& p) {
  switch (p.completes) {
    case Names::kNone:
      break;
    case Names::kFile:
      return "@file";
    case Names::kCluster:
      return "@cluster";
    case Names::kRun:
      return "@run";
    case Names::kDataset:
      return "@dataset";
    case Names::kModel:
      return "@model";
    case Names::kContext:
      return "@context";
    case Names::kToken:
      return "@token";
    case Names::kTrainer:
      return "@trainer";
    case Names::kCommand:
      return "@command";
  }
  std::string choices;
  for (const std::string& choice : p.choices) choices += (choices.empty() ? "" : " ") + choice;
  return choices;
}

// A line of a shell's case statement: what REPLY is for one word, or for each of several.
std::string Case(const std::string& patterns, const std::string& reply) {
  return fmt::format("    {}) REPLY='{}' ;;\n", patterns, reply);
}

// "'ote fl run -f' | 'ote fl run --file'"
std::string Patterns(const std::string& words, const Parameter& p) {
  std::string patterns;
  for (const std::string& name : p.names) {
    patterns += (patterns.empty() ? "'" : " | '") + (words.empty() ? "" : words + " ") + name + "'";
  }
  return patterns;
}

std::string ValueCase(const std::string& words, const Parameter& p) {
  if (p.value.empty()) return {};
  const std::string source = Source(p);
  return Case(Patterns(words, p), source.empty() ? "@none" : source);
}

// A shell function that sets REPLY by its first argument.
std::string Function(std::string_view name, std::string_view cases, std::string_view after = "") {
  return fmt::format("{}() {{\n  REPLY=''\n  case \"$1\" in\n{}  esac\n{}}}\n\n", name, cases, after);
}

// The tables that bash and zsh share, as shell functions that set REPLY. The common flags stand in them once.
std::string Tables(const Command& root) {
  Globals unused;
  const std::vector<Parameter> common = GlobalParameters(unused, false);
  const std::vector<Parameter> changing = GlobalParameters(unused, true);
  std::string common_names = " --help";
  std::string common_values;
  for (const Parameter& p : common) {
    for (const std::string& name : p.names) common_names += " " + name;
  }
  for (const Parameter& p : changing) common_values += ValueCase("", p);

  std::string verbs;
  std::string flags;
  std::string values;
  std::string arguments;
  ForEachCommand(root, [&](const std::string& words, const Command& command) {
    std::string children;
    for (const Command& child : command.children()) children += (children.empty() ? "" : " ") + child.name();
    if (!children.empty()) verbs += Case("'" + words + "'", children);
    std::vector<Parameter> own;
    bool named = false;  // the first argument is the one with a name to complete
    for (const Parameter& p : command.parameters()) {
      if (!p.IsArgument()) {
        own.push_back(p);
      } else if (!std::exchange(named, true)) {
        const std::string source = Source(p);
        if (!source.empty()) arguments += Case("'" + words + "'", source);
      }
    }
    if (command.changes()) own.insert(own.end(), changing.begin() + std::ssize(common), changing.end());
    std::string names;
    for (const Parameter& p : own) {
      for (const std::string& name : p.names) names += (names.empty() ? "" : " ") + name;
    }
    if (!names.empty()) flags += Case("'" + words + "'", names);
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (std::ranges::none_of(changing, [&](const Parameter& p) { return p.names == own[i].names; })) {
        values += ValueCase(words, own[i]);
      }
    }
  });
  return Function("__ote_verbs", verbs) + Function("__ote_flags", flags, "  REPLY=\"$REPLY" + common_names + "\"\n") +
         Function("__ote_value", values,
                  "  [ -z \"$REPLY\" ] || return 0\n  case \"${1##* }\" in\n" + common_values + "  esac\n") +
         Function("__ote_argument", arguments);
}

constexpr std::string_view kNamesFunction =
    R"(# Names of one kind from the cache that the list commands write; nothing when there is none.
__ote_names() {
  local file kind name
  if [ -n "${OTE_HOME-}" ]; then
    file="$OTE_HOME/cache/names"
  else
    file="${XDG_CACHE_HOME:-$HOME/.cache}/ote/names"
  fi
  REPLY=''
  [ -r "$file" ] || return 0
  while read -r kind name; do
    [ "$kind" = "$1" ] && REPLY="$REPLY $name"
  done < "$file"
  return 0
}

)";

constexpr std::string_view kMade = "made from the command tree by ote-docgen; do not edit";

std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("\\'") : std::string(1, c);
  return out + "'";
}

// One parameter as a line of fish's.
std::string FishLine(const std::string& condition, const Parameter& p) {
  std::string line = "complete -c ote -n " + Quoted(condition);
  for (const std::string& name : p.names) line += name.size() == 2 ? " -s " + name.substr(1) : " -l " + name.substr(2);
  const std::string source = Source(p);
  if (!p.value.empty()) {
    if (source == "@file") {
      line += " -r -F";
    } else if (source.starts_with('@')) {
      line += " -x -a '(__ote_names " + source.substr(1) + ")'";
    } else if (!source.empty()) {
      line += " -x -a " + Quoted(source);
    } else {
      line += " -x";
    }
  }
  return line + " -d " + Quoted(p.help) + "\n";
}

}  // namespace

void ForEachCommand(const Command& root, const std::function<void(const std::string&, const Command&)>& visit) {
  const std::function<void(const std::string&, const Command&)> walk = [&](const std::string& words, const Command& c) {
    visit(words, c);
    for (const Command& child : c.children()) walk(words + " " + child.name(), child);
  };
  walk(root.name(), root);
}

std::vector<Parameter> AllFlags(const Command& command) {
  std::vector<Parameter> flags;
  for (const Parameter& p : command.parameters()) {
    if (!p.IsArgument()) flags.push_back(p);
  }
  Globals unused;
  for (Parameter& p : GlobalParametersOf(command, unused)) {
    p.set = nullptr;
    flags.push_back(std::move(p));
  }
  return flags;
}

std::string BashCompletion(const Command& root) {
  return fmt::format("# bash completion of ote; {}\n# shellcheck shell=bash\n\n", kMade) + Tables(root) +
         std::string(kNamesFunction) + R"(__ote_complete() {
  local REPLY path='ote' word previous='' current="${COMP_WORDS[COMP_CWORD]}" verbs i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    __ote_verbs "$path"
    verbs=" $REPLY "
    case "$word" in
      -*) ;;
      *) [[ "$verbs" == *" $word "* ]] && path="$path $word" ;;
    esac
    previous="$word"
  done
  case "$previous" in
    -*) __ote_value "$path $previous" ;;
    *) REPLY='' ;;
  esac
  if [ -z "$REPLY" ]; then
    if [[ "$current" == -* ]]; then
      __ote_flags "$path"
    else
      __ote_verbs "$path"
      [ -n "$REPLY" ] || __ote_argument "$path"
    fi
  fi
  case "$REPLY" in
    '' | @none) return 0 ;;
    @file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return 0 ;;
    @command) __ote_verbs ote ;;
    @*) __ote_names "${REPLY#@}" ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$REPLY" -- "$current")
}

complete -o filenames -o bashdefault -F __ote_complete ote
)";
}

std::string ZshCompletion(const Command& root) {
  return fmt::format("#compdef ote\n# zsh completion of ote; {}\n\n", kMade) + Tables(root) +
         std::string(kNamesFunction) + R"(_ote() {
  local REPLY path_='ote' word previous='' i
  for ((i = 2; i < CURRENT; i++)); do
    word="${words[i]}"
    __ote_verbs "$path_"
    if [[ "$word" != -* && " $REPLY " == *" $word "* ]]; then
      path_="$path_ $word"
    fi
    previous="$word"
  done
  REPLY=''
  [[ "$previous" == -* ]] && __ote_value "$path_ $previous"
  if [[ -z "$REPLY" ]]; then
    if [[ "${words[CURRENT]}" == -* ]]; then
      __ote_flags "$path_"
    else
      __ote_verbs "$path_"
      [[ -n "$REPLY" ]] || __ote_argument "$path_"
    fi
  fi
  case "$REPLY" in
    '' | @none) return 0 ;;
    @file) _files; return ;;
    @command) __ote_verbs ote ;;
    @*) __ote_names "${REPLY#@}" ;;
  esac
  compadd -- ${=REPLY}
}

if [ "${funcstack[1]-}" = "_ote" ]; then
  _ote "$@"
else
  compdef _ote ote
fi
)";
}

std::string FishCompletion(const Command& root) {
  std::string out = fmt::format("# fish completion of ote; {}\n\n", kMade);
  out += R"(# Names of one kind from the cache that the list commands write; nothing when there is none.
function __ote_names
    set -l file ~/.cache/ote/names
    set -q XDG_CACHE_HOME; and set file $XDG_CACHE_HOME/ote/names
    set -q OTE_HOME; and set file $OTE_HOME/cache/names
    test -r $file; or return 0
    string replace -rf "^$argv[1] " '' < $file
end

# Whether the words before the cursor, flags left out, begin with those given; with --only, and are no more.
function __ote_at
    set -l only 0
    if test "$argv[1]" = --only
        set only 1
        set -e argv[1]
    end
    set -l words (string match -v -- '-*' (commandline -opc))
    test (count $words) -ge (count $argv); or return 1
    test "$words[1..(count $argv)]" = "$argv"; or return 1
    test $only -eq 0; or test (count $words) -eq (count $argv)
end

complete -c ote -f
)";
  ForEachCommand(root, [&](const std::string& words, const Command& command) {
    for (const Command& child : command.children()) {
      out += fmt::format("complete -c ote -n {} -a {} -d {}\n", Quoted("__ote_at --only " + words), child.name(),
                         Quoted(child.summary()));
    }
    for (const Parameter& p : command.parameters()) out += FishLine("__ote_at " + words, p);
  });
  Globals unused;
  for (const Parameter& p : GlobalParameters(unused, true)) out += FishLine("__ote_at ote", p);
  return out;
}

}  // namespace ote::cli
