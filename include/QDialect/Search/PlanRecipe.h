// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plan as a recipe: the base recipe and a rule for each layer, by name. What
// the search compiles is this very text, so editing and replaying it with
// --recipe gives what it says.
//
//   base: w8a8-int
//   layers:
//     - {match: 'conv1', weights: {format: s8}}
//     - {match: 'conv2', weights: {format: s4, estimator: mse}}

#ifndef QDIALECT_SEARCH_PLANRECIPE_H
#define QDIALECT_SEARCH_PLANRECIPE_H

#include "QDialect/PTQ/Recipe.h"
#include "QDialect/Search/MixedPrecision.h"

namespace qdialect {

/// The rule for the weights of one layer, and that for the format of what a
/// layer (or other op) makes. `match` is the name, with what a glob would read
/// otherwise escaped. Weights of fewer than eight bits get the range of least
/// squared error: their extremes are too far out.
LayerRule weightRule(llvm::StringRef layer, unsigned bits, const Recipe &base);
LayerRule activationRule(llvm::StringRef maker, unsigned bits,
                         const Recipe &base);

/// The rules that give each layer of `table` its choice.
std::vector<LayerRule> planRules(const CostTable &table,
                                 const std::vector<unsigned> &choices,
                                 const Recipe &base);

/// The text of the recipe. `base` is what a recipe's `base:` says; `remark`
/// becomes the first lines, as a comment.
std::string planRecipe(const CostTable &table, const PrecisionPlan &plan,
                       const Recipe &recipe, llvm::StringRef base,
                       llvm::StringRef remark);

} // namespace qdialect

#endif // QDIALECT_SEARCH_PLANRECIPE_H
