// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What each layer costs and loses at each precision: all that the choice of a
// plan needs to know of a model. It is measured once (Pipelines/), kept in a
// file, and solved for any budget.
//
// A precision is that of a layer's weights and of the activation it reads.
// Activations that must have one format are a grid: the layers that read it
// agree on its width (query, key and value projections; a block and its
// shortcut; what a concatenation joins). Layers can also be tied outright.

#ifndef QDIALECT_SEARCH_COSTTABLE_H
#define QDIALECT_SEARCH_COSTTABLE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

/// Widths of a layer's weights and of the activation that it reads.
struct Precision {
  unsigned weightBits = 8, activationBits = 8;

  /// "w4a8".
  std::string str() const;
  static std::optional<Precision> parse(llvm::StringRef text);
  friend bool operator==(Precision a, Precision b) {
    return a.weightBits == b.weightBits && a.activationBits == b.activationBits;
  }
  /// Orders by the product of the widths, then by weights.
  friend bool operator<(Precision a, Precision b) {
    unsigned pa = a.weightBits * a.activationBits,
             pb = b.weightBits * b.activationBits;
    return pa != pb ? pa < pb : a.weightBits < b.weightBits;
  }
};

/// What a plan spends.
enum class Resource {
  Size,    ///< bytes of the library
  Bops,    ///< bit operations: multiply-accumulates times both widths
  Latency, ///< milliseconds of a run
};
constexpr unsigned kNumResources = 3;
using ResourceVector = std::array<double, kNumResources>;

llvm::StringRef stringify(Resource resource);
/// "3.21 MB", "1.2 ms", "12.5 G".
std::string format(Resource resource, double value);

struct CostTable {
  struct Choice {
    Precision precision;
    double loss = 0;
    ResourceVector costs{};
  };
  struct Layer {
    std::string name; ///< by which a rule of a recipe finds it
    std::string kind;
    std::optional<unsigned> grid; ///< that it reads, if its format is searched
    std::vector<Choice> choices;  ///< narrowest first

    const Choice &widest() const { return choices.back(); }
    /// The choice of that precision; null if there is none.
    const Choice *find(Precision precision) const;
  };

  /// Whose table it is; a model's digest and its recipe.
  std::string program, recipe;
  /// How losses were measured, and on how many samples.
  std::string metric;
  int64_t samples = 0;
  /// What the latencies are of.
  std::string variant;
  int64_t threads = 1;
  /// What the program spends besides its layers.
  ResourceVector rest{};
  std::vector<Layer> layers;
  /// For each grid the layers (or other ops) whose rules set its format.
  std::vector<std::vector<std::string>> grids;
  /// Layers with the same choice, by number.
  std::vector<std::vector<unsigned>> ties;

  /// The sum for these choices, one a layer.
  double loss(const std::vector<unsigned> &choices) const;
  ResourceVector spent(const std::vector<unsigned> &choices) const;
  std::vector<unsigned> widestChoices() const;

  /// JSON; one line a layer. Errors name file and what is wrong.
  static llvm::Expected<CostTable> read(llvm::StringRef path);
  llvm::Error write(llvm::StringRef path) const;
};

} // namespace qdialect

#endif // QDIALECT_SEARCH_COSTTABLE_H
