// Which choices of a run file go together, as data: the features, and the pairs of them that do not hold together.
//
// ote-privacy(7) shows the same as a table, and a test compares the two pair by pair.
#pragma once

#include <span>
#include <string_view>

#include "core/api/run_spec.h"
#include "core/base/result.h"

namespace ote::federate {

struct Feature {
  std::string_view name;  // as the table of ote-privacy(7) has it
  bool (*chosen)(const api::RunSpec& spec);
  // The shortest run files that choose it, in YAML; one for each kind that goes by the name.
  std::span<const std::string_view> examples;
};
// In the order of the table. No run file chooses two of one group, such as two strategies.
std::span<const Feature> AllFeatures() noexcept;

struct Conflict {
  std::string_view a;  // names of features
  std::string_view b;
  // Of the message: "field: reason". {strategy}, {model} and {trainer} stand for the kinds that the run file names.
  std::string_view field;
  std::string_view reason;
  // What to change to come to the nearest plan that holds: "set FIELD: VALUE" or "leave FIELD out", and more of them
  // after " and ". Tests apply it as it stands.
  std::string_view hint;
};
std::span<const Conflict> AllConflicts() noexcept;

// The first conflict of the spec: kRunInvalid with its field, reason and hint.
Result<void> CheckPairs(const api::RunSpec& spec);

}  // namespace ote::federate
