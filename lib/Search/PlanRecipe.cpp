// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rules and text of a plan.

#include "QDialect/Search/PlanRecipe.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>

using namespace qdialect;

/// A glob that matches `name` alone.
static std::string exactGlob(llvm::StringRef name) {
  std::string glob;
  // In front of a rule these mean something else.
  if (name.starts_with("kind:") || name.starts_with("/"))
    glob += '\\';
  for (char c : name) {
    if (llvm::StringRef("*?[]{}\\").contains(c))
      glob += '\\';
    glob += c;
  }
  return glob;
}

/// Grids that may have one width only need no rule.
static std::vector<char> searchedGrids(const CostTable &table) {
  std::vector<char> searched(table.grids.size());
  for (const CostTable::Layer &layer : table.layers)
    if (layer.grid)
      for (const CostTable::Choice &choice : layer.choices)
        searched[*layer.grid] |= choice.precision.activationBits !=
                                 layer.widest().precision.activationBits;
  return searched;
}

LayerRule qdialect::weightRule(llvm::StringRef layer, unsigned bits,
                               const Recipe &base) {
  LayerRule rule;
  rule.match = exactGlob(layer);
  rule.weights.format = RecipeFormat{base.weights.format.isSigned, bits};
  if (bits < 8)
    rule.weights.estimator = RangeMethod::MSE;
  return rule;
}

LayerRule qdialect::activationRule(llvm::StringRef maker, unsigned bits,
                                   const Recipe &base) {
  LayerRule rule;
  rule.match = exactGlob(maker);
  rule.activations.format =
      RecipeFormat{base.activations.format.isSigned, bits};
  return rule;
}

std::vector<LayerRule> qdialect::planRules(const CostTable &table,
                                           const std::vector<unsigned> &choices,
                                           const Recipe &base) {
  std::vector<LayerRule> rules;
  llvm::StringMap<size_t> ruleOf;
  // A layer's weights and what it makes are one line.
  auto add = [&](LayerRule rule) {
    auto [entry, isNew] = ruleOf.try_emplace(rule.match, rules.size());
    if (isNew)
      rules.push_back(std::move(rule));
    else if (rule.weights.format)
      rules[entry->second].weights = rule.weights;
    else
      rules[entry->second].activations = rule.activations;
  };
  std::vector<char> searched = searchedGrids(table);
  for (auto [layer, choice] : llvm::zip_equal(table.layers, choices)) {
    Precision precision = layer.choices[choice].precision;
    add(weightRule(layer.name, precision.weightBits, base));
    if (layer.grid && searched[*layer.grid])
      for (llvm::StringRef maker : table.grids[*layer.grid])
        add(activationRule(maker, precision.activationBits, base));
  }
  return rules;
}

/// A scalar between single quotes, in which a quote is doubled.
static std::string quoted(llvm::StringRef text) {
  std::string result = "'";
  for (char c : text)
    result += c == '\'' ? "''" : std::string(1, c);
  return result + "'";
}

std::string qdialect::planRecipe(const CostTable &table,
                                 const PrecisionPlan &plan,
                                 const Recipe &recipe, llvm::StringRef base,
                                 llvm::StringRef remark) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (llvm::StringRef line : llvm::split(remark, '\n'))
    os << "# " << line << "\n";
  os << "name: " << quoted(recipe.name + "-mixed") << "\nbase: " << quoted(base)
     << "\nlayers:\n";
  for (const LayerRule &rule : planRules(table, plan.choices, recipe)) {
    os << "  - {match: " << quoted(rule.match);
    if (rule.weights.format) {
      os << ", weights: {format: " << rule.weights.format->str();
      if (rule.weights.estimator)
        os << ", estimator: mse";
      os << "}";
    }
    if (rule.activations.format)
      os << ", activations: {format: " << rule.activations.format->str() << "}";
    os << "}\n";
  }
  return text;
}
