// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The YAML form of recipes (docs/guides/add-a-recipe.md). Unknown keys are
// errors: a misspelt exception that silently does nothing costs more than a
// strict reader.

#include "QDialect/Numerics/BlockMatmul.h"
#include "QDialect/PTQ/Recipe.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/YAMLTraits.h"
#include <cmath>

using namespace qdialect;
namespace yaml = llvm::yaml;

LLVM_YAML_IS_SEQUENCE_VECTOR(qdialect::LayerRule)

namespace llvm::yaml {

template <>
struct ScalarTraits<RecipeFormat> {
  static void output(const RecipeFormat &format, void *, raw_ostream &os) {
    os << format.str();
  }
  static StringRef input(StringRef text, void *, RecipeFormat &format) {
    if (text == "f32") {
      format = {/*isSigned=*/true, 32, /*isFloat=*/true};
      return {};
    }
    if (auto minifloat = RecipeFormat::ofMinifloat(text)) {
      format = *minifloat;
      return {};
    }
    StringRef digits = text;
    format = {};
    format.isSigned = digits.consume_front("s");
    if ((!format.isSigned && !digits.consume_front("u")) ||
        digits.getAsInteger(10, format.bits) || format.bits < 2 ||
        format.bits > 16)
      return "is not a format: s or u and 2 to 16 bits, such as u8; e4m3, "
             "e5m2, "
             "e3m2 or e2m1; or f32";
    return {};
  }
  static QuotingType mustQuote(StringRef) { return QuotingType::None; }
};

template <>
struct ScalarEnumerationTraits<Granularity> {
  static void enumeration(IO &io, Granularity &value) {
    io.enumCase(value, "tensor", Granularity::Tensor);
    io.enumCase(value, "channel", Granularity::Channel);
    io.enumCase(value, "block", Granularity::Block);
    io.enumCase(value, "token", Granularity::Token);
  }
};

template <>
struct ScalarEnumerationTraits<RangeMethod> {
  static void enumeration(IO &io, RangeMethod &value) {
    io.enumCase(value, "minmax", RangeMethod::MinMax);
    io.enumCase(value, "percentile", RangeMethod::Percentile);
    io.enumCase(value, "mse", RangeMethod::MSE);
    io.enumCase(value, "entropy", RangeMethod::Entropy);
    io.enumCase(value, "lp", RangeMethod::Lp);
  }
};

template <>
struct ScalarEnumerationTraits<WeightRounding> {
  static void enumeration(IO &io, WeightRounding &value) {
    io.enumCase(value, "nearest", WeightRounding::Nearest);
    io.enumCase(value, "calibrated", WeightRounding::Calibrated);
  }
};

template <>
struct ScalarEnumerationTraits<RescaleMode> {
  static void enumeration(IO &io, RescaleMode &value) {
    io.enumCase(value, "dyadic", RescaleMode::Dyadic);
    io.enumCase(value, "float", RescaleMode::Float);
  }
};

/// What the keys of `activations:` and `weights:` may say is not the same.
struct ActivationKeys : TensorOverride {
  std::optional<bool> dynamic;
};
struct WeightKeys : TensorOverride {};

static void mapTensor(IO &io, TensorOverride &tensor) {
  io.mapOptional("format", tensor.format);
  io.mapOptional("granularity", tensor.granularity);
  io.mapOptional("symmetric", tensor.symmetric);
  io.mapOptional("estimator", tensor.estimator);
  io.mapOptional("percentile", tensor.percentile);
  io.mapOptional("p", tensor.p);
}

static std::string validateTensor(const TensorOverride &tensor) {
  if (tensor.percentile &&
      !(*tensor.percentile > 50 && *tensor.percentile <= 100))
    return "percentile must be above 50 and at most 100";
  if (tensor.p && !(*tensor.p > 0 && *tensor.p <= 16))
    return "p must be above 0 and at most 16";
  return {};
}

template <>
struct ScalarEnumerationTraits<BiasCorrection> {
  static void enumeration(IO &io, BiasCorrection &value) {
    io.enumCase(value, "false", BiasCorrection::None);
    io.enumCase(value, "true", BiasCorrection::Analytic);
    io.enumCase(value, "sequential", BiasCorrection::Sequential);
  }
};

template <>
struct MappingTraits<ActivationKeys> {
  static void mapping(IO &io, ActivationKeys &keys) {
    mapTensor(io, keys);
    io.mapOptional("dynamic", keys.dynamic);
    io.mapOptional("outliers", keys.outliers);
  }
  static std::string validate(IO &, ActivationKeys &keys) {
    if (keys.granularity == Granularity::Channel)
      return "activations: granularity channel is not supported";
    if (keys.granularity == Granularity::Block)
      return "activations: granularity block is not supported";
    // Scales of tokens are known at run time alone; a recipe says so.
    bool token = keys.granularity == Granularity::Token;
    if (token != keys.dynamic.value_or(false) ||
        (keys.dynamic && !keys.granularity))
      return "activations: granularity: token and dynamic: true come together";
    if (keys.outliers && !(*keys.outliers > 0))
      return "activations: outliers must be a magnitude above 0";
    return validateTensor(keys);
  }
};

template <>
struct MappingTraits<WeightKeys> {
  static void mapping(IO &io, WeightKeys &keys) {
    mapTensor(io, keys);
    io.mapOptional("rounding", keys.rounding);
    io.mapOptional("block", keys.block);
  }
  /// Integer contractions want weights without a zero point, in a byte; those
  /// of blocks may have one.
  static std::string validate(IO &, WeightKeys &keys) {
    if (keys.format && (!keys.format->isSigned || keys.format->bits > 8))
      return "weights: format " + keys.format->str() +
             " is not supported (s2 to s8 and minifloats are)";
    bool hasBlocks = keys.granularity == Granularity::Block;
    if (keys.symmetric && !*keys.symmetric && !hasBlocks)
      return "weights: symmetric: false wants granularity: block";
    if (keys.block && (*keys.block < 1 || *keys.block > kMaxMatmulBlock))
      return "weights: block must be between 1 and " +
             std::to_string(kMaxMatmulBlock);
    if (keys.granularity == Granularity::Token)
      return "weights: granularity token is not supported";
    return validateTensor(keys);
  }
};

/// "expected matmul, conv, ...".
static std::string expectedKinds() {
  return "expected " +
         llvm::join(std::begin(kLayerKinds), std::end(kLayerKinds), ", ");
}

template <>
struct MappingTraits<LayerRule> {
  static void mapping(IO &io, LayerRule &rule) {
    ActivationKeys activations;
    WeightKeys weights;
    io.mapRequired("match", rule.match);
    io.mapOptional("keep_float", rule.keepFloat);
    io.mapOptional("activations", activations);
    io.mapOptional("weights", weights);
    rule.activations = activations;
    rule.weights = weights;
  }
  static std::string validate(IO &, LayerRule &rule) {
    StringRef pattern = rule.match;
    pattern.consume_front("kind:");
    if (pattern.size() >= 2 && pattern.front() == '/' &&
        pattern.back() == '/') {
      std::string message;
      if (!Regex(pattern.drop_front().drop_back()).isValid(message))
        return "match '" + rule.match + "': " + message;
      return {};
    }
    Expected<GlobPattern> glob = GlobPattern::create(pattern);
    if (!glob)
      return "match '" + rule.match + "': " + toString(glob.takeError());
    if (StringRef(rule.match).starts_with("kind:") &&
        llvm::none_of(kLayerKinds,
                      [&](StringRef kind) { return glob->match(kind); }))
      return "match '" + rule.match + "': " + expectedKinds();
    return {};
  }
};

/// `bias: {bits: 32}`, in a struct of its own because YAMLIO maps structs.
struct BiasKeys {
  unsigned bits = 32;
};
template <>
struct MappingTraits<BiasKeys> {
  static void mapping(IO &io, BiasKeys &bias) {
    io.mapOptional("bits", bias.bits);
  }
  static std::string validate(IO &, BiasKeys &bias) {
    return bias.bits == 32 ? "" : "bias: bits must be 32";
  }
};

/// `tables: {format: s8}`.
struct TableKeys {
  std::optional<RecipeFormat> format;
};
template <>
struct MappingTraits<TableKeys> {
  static void mapping(IO &io, TableKeys &tables) {
    io.mapOptional("format", tables.format);
  }
  static std::string validate(IO &, TableKeys &tables) {
    if (tables.format && (!tables.format->isSigned || tables.format->bits > 8))
      return "tables: format " + tables.format->str() +
             " is not supported (s2 to s8 are)";
    return {};
  }
};

template <>
struct ScalarEnumerationTraits<IntegerScheme> {
  static void enumeration(IO &io, IntegerScheme &value) {
    io.enumCase(value, "qd", IntegerScheme::QD);
    io.enumCase(value, "ibert", IntegerScheme::IBert);
    io.enumCase(value, "ivit", IntegerScheme::IVit);
  }
};

/// `nonlinearities: {scheme: qd, format: u16}`.
template <>
struct MappingTraits<NonlinearRecipe> {
  static void mapping(IO &io, NonlinearRecipe &nonlinear) {
    io.mapOptional("scheme", nonlinear.scheme);
    io.mapOptional("format", nonlinear.format);
  }
  /// The integer ops read whole bytes.
  static std::string validate(IO &, NonlinearRecipe &nonlinear) {
    if (nonlinear.format.bits != 8 && nonlinear.format.bits != 16)
      return "nonlinearities: format " + nonlinear.format.str() +
             " is not supported (8 and 16 bits are)";
    return {};
  }
};

/// `base: w8a8-int`, looked for before anything else is read.
struct BaseKey {
  std::string base;
};
template <>
struct MappingTraits<BaseKey> {
  static void mapping(IO &io, BaseKey &key) {
    io.mapOptional("base", key.base);
  }
};

template <>
struct ScalarTraits<SmoothingRecipe> {
  static constexpr std::pair<StringLiteral, SmoothingMethod> kNames[] = {
      {"search", SmoothingMethod::Search},
      {"log", SmoothingMethod::Log},
      {"percentile", SmoothingMethod::Percentile},
      {"awq", SmoothingMethod::AWQ}};

  static void output(const SmoothingRecipe &value, void *, raw_ostream &os) {
    for (const auto &[name, method] : kNames)
      if (method == value.method)
        os << name;
    if (value.method == SmoothingMethod::Alpha)
      os << value.alpha;
  }
  static StringRef input(StringRef text, void *, SmoothingRecipe &value) {
    for (const auto &[name, method] : kNames)
      if (name == text) {
        value.method = method;
        return {};
      }
    if (text.getAsDouble(value.alpha) ||
        !(value.alpha >= 0 && value.alpha <= 1))
      return "smoothing must be between 0 and 1, or search, log, percentile or "
             "awq";
    return {};
  }
  static QuotingType mustQuote(StringRef) { return QuotingType::None; }
};

/// Kernels multiply floats by any minifloats, and FP8 by FP8 with one scale of
/// the activations and a scale a channel.
static std::string validateMinifloats(const LayerRecipe &layer) {
  const TensorRecipe &activations = layer.activations, &weights = layer.weights;
  std::string given = "activations: format " + activations.format.str() +
                      " and weights: format " + weights.format.str();
  if (!weights.format.minifloat)
    return given + " do not go together: weights want a minifloat, too";
  bool hasBlocks = weights.granularity == Granularity::Block;
  if (!hasBlocks && weights.granularity != Granularity::Channel)
    return "weights: format " + weights.format.str() +
           " wants granularity channel or block";
  if (activations.format.isFloat)
    return {};
  if (!activations.format.minifloat || activations.format.bits != 8 ||
      weights.format.bits != 8)
    return given + " do not go together: activations want f32, or both e4m3 "
                   "or e5m2";
  if (hasBlocks || activations.granularity != Granularity::Tensor)
    return given + " want granularity tensor and channel";
  return {};
}

/// Activations and weights that no layer can have together.
static std::string validateLayer(const LayerRecipe &layer) {
  bool hasBlocks = layer.weights.granularity == Granularity::Block;
  for (const TensorRecipe *tensor : {&layer.activations, &layer.weights})
    if (tensor->format.minifloat && tensor->estimator != RangeMethod::MinMax &&
        tensor->estimator != RangeMethod::Percentile)
      return "format " + tensor->format.str() +
             " wants estimator minmax or percentile";
  if (layer.activations.outliers &&
      (!layer.activations.isDynamic() || hasBlocks))
    return "activations: outliers want granularity: token, and weights without "
           "blocks";
  if (layer.activations.format.minifloat || layer.weights.format.minifloat)
    return validateMinifloats(layer);
  if (layer.activations.format.isFloat && !hasBlocks)
    return "activations: format f32 wants weights: granularity: block";
  if (!hasBlocks && !layer.weights.symmetric)
    return "weights: symmetric: false wants granularity: block";
  if (!hasBlocks || layer.activations.format.isFloat)
    return {};
  const TensorRecipe &activations = layer.activations;
  if (!activations.isDynamic() || !activations.symmetric ||
      activations.format.str() != "s8")
    return "weights: granularity block wants activations of f32, or of s8, "
           "symmetric and by token";
  return {};
}

template <>
struct MappingTraits<Recipe> {
  static void mapping(IO &io, Recipe &recipe) {
    ActivationKeys activations;
    WeightKeys weights;
    BiasKeys bias;
    TableKeys tables;
    BaseKey base; // parse() has begun with it
    io.mapRequired("name", recipe.name);
    io.mapOptional("base", base.base);
    io.mapOptional("description", recipe.description);
    io.mapOptional("activations", activations);
    io.mapOptional("weights", weights);
    io.mapOptional("bias", bias);
    io.mapOptional("tables", tables);
    io.mapOptional("equalization", recipe.equalization);
    io.mapOptional("bias_correction", recipe.biasCorrection);
    // An optional that is absent would lose what the base says.
    std::optional<double> biasAbsorption;
    std::optional<SmoothingRecipe> smoothing;
    std::optional<NonlinearRecipe> nonlinearities;
    io.mapOptional("bias_absorption", biasAbsorption);
    io.mapOptional("smoothing", smoothing);
    io.mapOptional("rescale", recipe.rescale);
    io.mapOptional("nonlinearities", nonlinearities);
    io.mapOptional("integer_only", recipe.integerOnly);
    io.mapOptional("layers", recipe.layers);
    io.mapOptional("require_integer", recipe.requireInteger);
    activations.applyTo(recipe.activations);
    weights.applyTo(recipe.weights);
    recipe.biasBits = bias.bits;
    if (tables.format)
      recipe.tables = tables.format;
    if (biasAbsorption)
      recipe.biasAbsorption = biasAbsorption;
    if (smoothing)
      recipe.smoothing = smoothing;
    if (nonlinearities)
      recipe.nonlinearities = nonlinearities;
  }
  static std::string validate(IO &, Recipe &recipe) {
    if (recipe.biasAbsorption &&
        (!std::isfinite(*recipe.biasAbsorption) || *recipe.biasAbsorption < 0))
      return "bias_absorption must not be negative";
    std::string problem = validateLayer(recipe.layer({}, ""));
    auto checkSmoothing = [&](const LayerRecipe &layer) {
      if (problem.empty() && layer.activations.outliers && recipe.smoothing)
        problem = "activations: outliers and smoothing do not go together";
    };
    checkSmoothing(recipe.layer({}, ""));
    for (const LayerRule &rule : recipe.layers) {
      LayerRecipe layer{/*keepFloat=*/false, recipe.activations,
                        recipe.weights};
      rule.activations.applyTo(layer.activations);
      rule.weights.applyTo(layer.weights);
      if (problem.empty())
        problem = validateLayer(layer);
      checkSmoothing(layer);
    }
    if (!problem.empty())
      return problem;
    for (const std::string &kind : recipe.requireInteger)
      if (!llvm::is_contained(kLayerKinds, kind))
        return "require_integer: no kind '" + kind + "', " + expectedKinds();
    if (recipe.integerOnly &&
        (recipe.rescale == RescaleMode::Float || !recipe.nonlinearities))
      return "integer_only wants rescale: dyadic and nonlinearities";
    return {};
  }
};

} // namespace llvm::yaml

/// What is not said: u8 asymmetric activations, s8 symmetric weights per
/// channel, extremes as ranges.
static Recipe defaults() {
  Recipe recipe;
  recipe.activations.format = {/*isSigned=*/false, 8};
  recipe.weights.format = {/*isSigned=*/true, 8};
  recipe.weights.symmetric = true;
  recipe.weights.granularity = Granularity::Channel;
  return recipe;
}

namespace {
struct Diagnostics {
  llvm::StringRef path;
  std::string first;

  static void handle(const llvm::SMDiagnostic &diagnostic, void *context) {
    auto &self = *static_cast<Diagnostics *>(context);
    if (!self.first.empty())
      return;
    llvm::raw_string_ostream os(self.first);
    os << self.path << ':' << diagnostic.getLineNo() << ": "
       << diagnostic.getMessage();
    // The line holds the key that a message about a value leaves out.
    llvm::StringRef line = diagnostic.getLineContents().trim();
    if (!line.empty())
      os << " in '" << line << "'";
  }
};
} // namespace

/// The recipe that `base` in the file `path` names: a built-in one, or a file
/// beside it.
static llvm::Expected<Recipe> loadBase(llvm::StringRef base,
                                       llvm::StringRef path, unsigned depth) {
  constexpr unsigned kMaxDepth = 8;
  if (depth == kMaxDepth)
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   path + ": base: '" + base +
                                       "' leads through more than " +
                                       llvm::Twine(kMaxDepth) + " recipes");
  bool isBuiltIn =
      llvm::any_of(embeddedRecipes(), [&](const EmbeddedRecipe &recipe) {
        return recipe.name == base;
      });
  llvm::SmallString<128> file(base);
  if (!isBuiltIn && !llvm::sys::path::is_absolute(base)) {
    file = llvm::sys::path::parent_path(path);
    llvm::sys::path::append(file, base);
  }
  llvm::Expected<Recipe> loaded = Recipe::load(file, depth + 1);
  if (!loaded)
    return llvm::createStringError(
        llvm::inconvertibleErrorCode(),
        path + ": base: " + llvm::toString(loaded.takeError()));
  return loaded;
}

llvm::Expected<Recipe> Recipe::parse(llvm::StringRef text, llvm::StringRef path,
                                     unsigned depth) {
  Diagnostics diagnostics{path, {}};
  yaml::BaseKey key;
  {
    // Whatever is wrong with the other keys is said below.
    yaml::Input first(
        text, nullptr, [](const llvm::SMDiagnostic &, void *) {}, nullptr);
    first.setAllowUnknownKeys(true);
    first >> key;
  }
  Recipe recipe = defaults();
  if (!key.base.empty()) {
    llvm::Expected<Recipe> base = loadBase(key.base, path, depth);
    if (!base)
      return base.takeError();
    recipe = std::move(*base);
  }
  std::vector<LayerRule> inherited = std::move(recipe.layers);
  recipe.layers.clear();
  yaml::Input input(text, nullptr, Diagnostics::handle, &diagnostics);
  input >> recipe;
  if (std::error_code error = input.error())
    return llvm::createStringError(
        error, diagnostics.first.empty() ? (path + ":1: no keys here").str()
                                         : diagnostics.first);
  if (recipe.name.empty())
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   path + ":1: key name is missing");
  recipe.layers.insert(recipe.layers.begin(), inherited.begin(),
                       inherited.end());
  return recipe;
}
