// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A recipe says which numbers each tensor of a program gets: formats, ranges,
// exceptions by layer. It is a YAML file (docs/guides/add-a-recipe.md); those
// in recipes/ are compiled into the library and found by name.

#ifndef QDIALECT_PTQ_RECIPE_H
#define QDIALECT_PTQ_RECIPE_H

#include "QDialect/Numerics/Format.h"
#include "QDialect/Numerics/IntegerFunctions.h"
#include "QDialect/Numerics/ScaleSelection.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace qdialect {

/// An integer alphabet of a recipe: u8, s8, u4, s4, u16, s16, ...; a minifloat:
/// e4m3, e5m2, e3m2, e2m1; or f32, for activations that stay as they are.
struct RecipeFormat {
  bool isSigned = true;
  unsigned bits = 8;
  bool isFloat = false;
  std::optional<Format> minifloat = std::nullopt;

  /// The format of a name such as e4m3, with the special values of MLIR's type
  /// of that name; none for others.
  static std::optional<RecipeFormat> ofMinifloat(llvm::StringRef name);

  /// The ends of the codes, or of the values of a minifloat.
  int64_t minCode() const {
    if (minifloat)
      return -maxCode();
    return isSigned ? -(int64_t(1) << (bits - 1)) : 0;
  }
  int64_t maxCode() const {
    if (minifloat)
      return static_cast<int64_t>(minifloat->maxFinite());
    return (int64_t(1) << (isSigned ? bits - 1 : bits)) - 1;
  }
  std::string str() const {
    if (minifloat)
      return "e" + std::to_string(minifloat->exponentBits()) + "m" +
             std::to_string(minifloat->mantissaBits());
    return (isFloat ? "f" : isSigned ? "s" : "u") + std::to_string(bits);
  }
};

enum class Granularity {
  /// One scale for the whole tensor.
  Tensor,
  /// One scale per output channel (weights).
  Channel,
  /// One scale, and one zero point unless symmetric, for each `block` numbers
  /// that an output channel of a matrix product sums over (weights).
  Block,
  /// One scale for each row that a matrix product with constant weights sums
  /// over, chosen from the data at run time (activations). What else is rounded
  /// has one grid a tensor.
  Token,
};

enum class WeightRounding {
  Nearest,
  /// To the neighbour that the statistics of the layer's input ask for
  /// (CalibratedRounding.h); where those are not known, to nearest.
  Calibrated,
};

/// How the tensors of one kind are quantized.
struct TensorRecipe {
  RecipeFormat format;
  Granularity granularity = Granularity::Tensor;
  bool symmetric = false;
  /// How ranges are found (Numerics/ScaleSelection.h); minmax and absmax are
  /// one: `symmetric` decides.
  RangeMethod estimator = RangeMethod::MinMax;
  double percentile = 99.99;
  double p = 2.4;
  WeightRounding rounding = WeightRounding::Nearest; ///< of weights
  int64_t block = 32;                                ///< of Granularity::Block
  /// Channels whose magnitude in calibration reaches it stay floats, and so do
  /// the products with their weights (OutlierChannels.h); activations of
  /// Granularity::Token alone.
  std::optional<double> outliers = std::nullopt;

  bool isDynamic() const { return granularity == Granularity::Token; }
  /// Minifloats have no zero point.
  bool isSymmetric() const { return symmetric || format.minifloat; }
  /// What Numerics wants to know. Zero is always representable. Symmetric
  /// signed codes leave the lowest one out, so that -x is codable with x.
  ScaleOptions scaleOptions() const;
};

/// The keys of a TensorRecipe that a layer rule sets.
struct TensorOverride {
  std::optional<RecipeFormat> format;
  std::optional<Granularity> granularity;
  std::optional<bool> symmetric;
  std::optional<RangeMethod> estimator;
  std::optional<double> percentile;
  std::optional<double> p;
  std::optional<WeightRounding> rounding;
  std::optional<int64_t> block;
  std::optional<double> outliers;

  void applyTo(TensorRecipe &recipe) const;
};

/// What layers can be.
constexpr llvm::StringLiteral kLayerKinds[] = {
    "matmul", "conv",  "depthwise", "grouped",    "add",     "mul",
    "concat", "pool",  "resize",    "gelu",       "silu",    "unary",
    "affine", "clamp", "softmax",   "layer_norm", "rms_norm"};

/// An exception. Its `match` is a glob (`blocks.*.conv`), or a regular
/// expression between slashes, on the layer's qd.name, or `kind:` followed by a
/// glob on its kind. The last rule that matches a layer wins, key by key.
struct LayerRule {
  std::string match;
  std::optional<bool> keepFloat;
  TensorOverride activations;
  TensorOverride weights;

  bool matches(llvm::ArrayRef<llvm::StringRef> names,
               llvm::StringRef kind) const;
};

/// What holds for one layer after all rules.
struct LayerRecipe {
  bool keepFloat = false;
  TensorRecipe activations;
  TensorRecipe weights;

  /// Do products of the layer give floats, of codes that are made of floats?
  bool givesFloats() const {
    return isWeightOnly() || activations.format.minifloat;
  }
  /// Weights are codes, activations stay floats.
  bool isWeightOnly() const { return !keepFloat && activations.format.isFloat; }
  /// The precision as receipts write it: w8a8, w8a8-token where scales are
  /// chosen for each token, and a8 for ops without weights.
  std::string precision() const;
  std::string activationPrecision() const;
};

enum class RescaleMode { Dyadic, Float };

inline llvm::StringRef stringify(RescaleMode mode) {
  return mode == RescaleMode::Dyadic ? "dyadic" : "float";
}

/// Softmax, layer norm and functions of one value in integers.
struct NonlinearRecipe {
  IntegerScheme scheme = IntegerScheme::QD;
  /// What they read, and what sums that they read are made of.
  RecipeFormat format{/*isSigned=*/false, 16};
};

/// How channels are evened out between activations and the weights that read
/// them (PTQ/Smoothing.h).
enum class SmoothingMethod {
  Alpha,      ///< SmoothQuant's factors with one exponent
  Search,     ///< the exponent of least error of the whole network, or none
  Log,        ///< FPTQ's, with static, equalized and dynamic activations
  Percentile, ///< DGQ's
  AWQ,        ///< for the weights alone
};

/// `smoothing: 0.75` or the name of a method.
struct SmoothingRecipe {
  SmoothingMethod method = SmoothingMethod::Alpha;
  double alpha = 0.5;
};

/// What biases take back of the shifts of means that rounding causes.
enum class BiasCorrection {
  None,
  Analytic,  ///< that of the layer's weights, by the statistics of its input
  Sequential ///< what the network in front and the layer cause on samples
};

struct Recipe {
  std::string name;
  std::string description;
  TensorRecipe activations;
  TensorRecipe weights;
  unsigned biasBits = 32;
  /// Tables that are read by rows (embeddings): symmetric, one scale a row;
  /// none: they stay floats.
  std::optional<RecipeFormat> tables;
  /// Weight ranges are evened out across layers before calibration
  /// (qd-equalize-cross-layer).
  bool equalization = false;
  /// Large biases go behind the next contraction (qd-absorb-bias): standard
  /// deviations below the mean where channels end, 0 for the least value.
  std::optional<double> biasAbsorption;
  BiasCorrection biasCorrection = BiasCorrection::None;
  /// None: channels stay as they are.
  std::optional<SmoothingRecipe> smoothing;
  RescaleMode rescale = RescaleMode::Float;
  /// None: softmax and layer norm stay floats.
  std::optional<NonlinearRecipe> nonlinearities;
  /// Is a float between the casts of inputs and results an error?
  bool integerOnly = false;
  std::vector<LayerRule> layers;
  /// Kinds that must end up integer: what --fail-on-fallback counts. Empty
  /// means every layer that the recipe quantizes.
  std::vector<std::string> requireInteger;

  /// The recipe of a layer of `kind`; `names` are those of all its ops (the
  /// convolution, its bias, its activation), and a rule may match any of them.
  LayerRecipe layer(llvm::ArrayRef<llvm::StringRef> names,
                    llvm::StringRef kind) const;
  /// True when a layer of `kind` that stays float is a fallback.
  bool mustBeInteger(llvm::StringRef kind) const;

  /// Parses YAML; errors name `path`, line and key. What is not said is as in
  /// the recipe that `base` names, built in or a file beside `path`; its layer
  /// rules come first. `depth` recipes have this one for a base.
  static llvm::Expected<Recipe> parse(llvm::StringRef text,
                                      llvm::StringRef path, unsigned depth = 0);
  /// A built-in recipe by name, else a file by path.
  static llvm::Expected<Recipe> load(llvm::StringRef nameOrPath,
                                     unsigned depth = 0);
};

/// Text of each recipe compiled into the library.
struct EmbeddedRecipe {
  llvm::StringRef name;
  llvm::StringRef text;
};
llvm::ArrayRef<EmbeddedRecipe> embeddedRecipes();

} // namespace qdialect

#endif // QDIALECT_PTQ_RECIPE_H
