// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a recipe says of one layer, and the recipes compiled into the library.
// The YAML form is read in RecipeFile.cpp.

#include "QDialect/PTQ/Recipe.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Regex.h"

using namespace qdialect;

static const EmbeddedRecipe kEmbeddedRecipes[] = {
#include "EmbeddedRecipes.inc"
};

llvm::ArrayRef<EmbeddedRecipe> qdialect::embeddedRecipes() {
  return kEmbeddedRecipes;
}

void TensorOverride::applyTo(TensorRecipe &recipe) const {
  recipe.format = format.value_or(recipe.format);
  recipe.granularity = granularity.value_or(recipe.granularity);
  recipe.symmetric = symmetric.value_or(recipe.symmetric);
  recipe.estimator = estimator.value_or(recipe.estimator);
  recipe.percentile = percentile.value_or(recipe.percentile);
  recipe.p = p.value_or(recipe.p);
  recipe.rounding = rounding.value_or(recipe.rounding);
  recipe.block = block.value_or(recipe.block);
  if (outliers)
    recipe.outliers = outliers;
}

std::optional<RecipeFormat> RecipeFormat::ofMinifloat(llvm::StringRef name) {
  auto make = [](unsigned exponent, unsigned mantissa, Specials specials) {
    Format format = Format::minifloat(exponent, mantissa, specials);
    return RecipeFormat{/*isSigned=*/true, format.bits(), /*isFloat=*/false,
                        format};
  };
  if (name == "e4m3")
    return make(4, 3, Specials::OCP);
  if (name == "e5m2")
    return make(5, 2, Specials::IEEE);
  if (name == "e3m2")
    return make(3, 2, Specials::None);
  if (name == "e2m1")
    return make(2, 1, Specials::None);
  return std::nullopt;
}

ScaleOptions TensorRecipe::scaleOptions() const {
  ScaleOptions options;
  bool leavesOut = symmetric && format.isSigned && !format.minifloat;
  options.qmin = format.minCode() + (leavesOut ? 1 : 0);
  options.qmax = format.maxCode();
  options.method = estimator;
  options.symmetric = isSymmetric();
  options.percentile = percentile;
  options.p = p;
  return options;
}

bool LayerRule::matches(llvm::ArrayRef<llvm::StringRef> names,
                        llvm::StringRef kind) const {
  llvm::StringRef pattern = match;
  llvm::SmallVector<llvm::StringRef> subjects(names.begin(), names.end());
  if (pattern.consume_front("kind:"))
    subjects.assign(1, kind);
  if (pattern.size() >= 2 && pattern.front() == '/' && pattern.back() == '/') {
    llvm::Regex regex(pattern.drop_front().drop_back());
    return llvm::any_of(subjects, [&](llvm::StringRef subject) {
      return regex.match(subject);
    });
  }
  // RecipeFile.cpp has refused patterns that do not parse.
  llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(pattern);
  if (!glob) {
    llvm::consumeError(glob.takeError());
    return false;
  }
  return llvm::any_of(
      subjects, [&](llvm::StringRef subject) { return glob->match(subject); });
}

std::string LayerRecipe::precision() const {
  if (weights.format.minifloat)
    return "w" + weights.format.str() + "-" + activationPrecision();
  return "w" + std::to_string(weights.format.bits) + activationPrecision() +
         (activations.isDynamic() ? "-token" : "");
}

std::string LayerRecipe::activationPrecision() const {
  if (activations.format.minifloat)
    return "a" + activations.format.str();
  return "a" + std::to_string(activations.format.bits);
}

LayerRecipe Recipe::layer(llvm::ArrayRef<llvm::StringRef> names,
                          llvm::StringRef kind) const {
  LayerRecipe result{/*keepFloat=*/false, activations, weights};
  for (const LayerRule &rule : layers) {
    if (!rule.matches(names, kind))
      continue;
    result.keepFloat = rule.keepFloat.value_or(result.keepFloat);
    rule.activations.applyTo(result.activations);
    rule.weights.applyTo(result.weights);
  }
  return result;
}

bool Recipe::mustBeInteger(llvm::StringRef kind) const {
  return requireInteger.empty() || llvm::is_contained(requireInteger, kind);
}

llvm::Expected<Recipe> Recipe::load(llvm::StringRef nameOrPath,
                                    unsigned depth) {
  for (const EmbeddedRecipe &recipe : embeddedRecipes())
    if (recipe.name == nameOrPath)
      return parse(recipe.text, ("<" + nameOrPath + ">").str(), depth);
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFile(nameOrPath, /*IsText=*/true);
  if (buffer)
    return parse((*buffer)->getBuffer(), nameOrPath, depth);
  std::string known;
  for (const EmbeddedRecipe &recipe : embeddedRecipes())
    known += (known.empty() ? "" : ", ") + recipe.name.str();
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "no recipe '" + nameOrPath + "' (" +
                                     buffer.getError().message() +
                                     "); built in: " + known);
}
