// What boosting makes small: its slopes at each row, and what margins mean.
//
// The exponential is computed from IEEE basic operations: a site's histograms are the same on every machine.
#pragma once

#include <span>

#include "core/learn/trees/forest.h"

namespace ote::learn::trees {

// e^x to a few units in the last place; 0 below -700, and e^700 above 700.
double Exp(double x) noexcept;

// The first and second derivatives of a row's loss by its margins, one for each series (Chen and Guestrin 2016).
// `target` is a class, or a value; the slopes of a value are divided by `scale`. XGBoost's doubled second derivative of
// softmax is used here too.
void Slopes(const Plan& plan, std::span<const double> margins, float target, double scale, std::span<double> first,
            std::span<double> second) noexcept;

// The probabilities of the classes, or the value: as many as the model has outputs.
void Outputs(const Plan& plan, std::span<const double> margins, std::span<double> outputs) noexcept;

}  // namespace ote::learn::trees
