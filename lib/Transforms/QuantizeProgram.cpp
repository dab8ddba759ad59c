// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Observers to casts, weights to codes:
//
//   %o = qd.observe %x "relu1"
//   ->
//   %q = qd.quantize %x scale %s zero_point %z ... : f32 -> !qd.uint<8>
//   %o = qd.dequantize %q scale %s zero_point %z
//
// Grids come from the statistics by the recipe (PTQ/,
// Numerics/ScaleSelection.h). A value that is read only by a concatenation gets
// the concatenation's grid: its codes are then copied, not rescaled, and
// rounded once instead of twice. Values in a branch that no sample took have no
// statistics: what needs them stays float, as a fallback.

#include "AbsorbBias.h"
#include "ActivationGrid.h"
#include "CalibratedRewrite.h"
#include "ChannelDivision.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/PTQ/OutlierChannels.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"
#include "QDialect/Transforms/Quantize.h"
#include "QuantizeContraction.h"
#include "QuantizeTables.h"
#include "Requests.h"
#include "SmoothActivations.h"
#include "SplitOutliers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include <map>

#define DEBUG_TYPE "qd-quantize"

using namespace mlir;

namespace qdialect {
#define GEN_PASS_DEF_QUANTIZEPASS
#include "QDialect/Transforms/Passes.h.inc"

namespace {

class ProgramQuantizer {
public:
  ProgramQuantizer(func::FuncOp function, const Recipe &recipe,
                   const Statistics &statistics, QuantizeSummary &summary)
      : function(function), recipe(recipe), statistics(statistics),
        summary(summary), factors(takeDivisions(function)),
        plan(function, recipe, &statistics), units(plan.units) {}

  void run() {
    chooseGrids();
    keepFloatWhatNeverRan();
    for (const PlannedUnit &planned : llvm::reverse(units))
      shareConcatGrid(planned.unit);
    boundSoftmaxInputs(units, grids, recipe.activations.symmetric);
    for (auto &[observe, grid] : grids)
      emitCasts(observe, grid);
    if (recipe.integerOnly)
      function->setAttr(qd::kIntegerOnlyAttr,
                        UnitAttr::get(function.getContext()));
    for (PlannedUnit &planned : units)
      quantizeUnit(planned);
    for (qd::ObserveOp observe : unread) {
      observe.getResult().replaceAllUsesWith(observe.getInput());
      observe.erase();
    }
    for (Block *block : programBlocks(function))
      for (Operation &op : *block)
        requestGridKeeper(&op);
    markKeptFloat(function);
    if (recipe.tables) {
      TensorRecipe table;
      table.format = *recipe.tables;
      table.symmetric = true;
      summary.tables += quantizeTables(function, table);
    }
  }

private:
  void chooseGrids() {
    llvm::DenseMap<Value, TensorRecipe> recipes =
        plan.activationRecipes(recipe);
    SmallVector<qd::ObserveOp> observers;
    function.walk([&](qd::ObserveOp op) { observers.push_back(op); });
    for (qd::ObserveOp observe : observers)
      if (!statistics.lookup(observe.getValueName())->count)
        neverRan.insert(observe);
    llvm::erase_if(observers, [&](qd::ObserveOp observe) {
      return neverRan.contains(observe);
    });
    // What the statistics leave to scales chosen at run time has no grid.
    auto isUnread = [&](qd::ObserveOp observe) {
      bool leavesToRunTime =
          (recipe.smoothing &&
           recipe.smoothing->method == SmoothingMethod::Log) ||
          llvm::any_of(units, [](const PlannedUnit &planned) {
            return planned.findsOutliers();
          });
      return leavesToRunTime && !plan.isWanted(observe.getResult());
    };
    llvm::copy_if(observers, std::back_inserter(unread), isUnread);
    llvm::erase_if(observers, isUnread);
    for (qd::ObserveOp observe : observers) {
      const ValueStatistics *values = statistics.lookup(observe.getValueName());
      auto it = recipes.find(observe.getInput());
      const TensorRecipe &tensor =
          it == recipes.end() ? recipe.activations : it->second;
      ActivationGrid grid{
          {}, tensor.format, values, factors.lookup(observe), {}};
      grid.params = values->chooseParams(tensor.scaleOptions());
      if (plan.isFine(observe.getResult())) {
        // The products among its readers have the grid chosen above.
        grid.coarse = {grid.params, grid.format};
        TensorRecipe wide = tensor;
        wide.format = recipe.nonlinearities->format;
        wide.estimator = RangeMethod::MinMax;
        grid.format = wide.format;
        grid.params = values->chooseParams(wide.scaleOptions());
      }
      grids[observe] = std::move(grid);
    }
  }

  /// Does the grid of `value` lack?
  bool lacksGrid(Value value) const {
    auto observe = gridSource(value).getDefiningOp<qd::ObserveOp>();
    return observe && neverRan.contains(observe);
  }

  /// The units in branches that no sample took, less those that read codes from
  /// outside and give floats.
  void keepFloatWhatNeverRan() {
    if (neverRan.empty())
      return;
    for (PlannedUnit &planned : units) {
      QuantizableUnit &unit = planned.unit;
      bool lacks = llvm::any_of(unit.inputs,
                                [&](Value input) { return lacksGrid(input); });
      if (!unit.contraction)
        lacks |= llvm::any_of(unit.result().getUsers(), [&](Operation *user) {
          auto observe = dyn_cast<qd::ObserveOp>(user);
          return observe && neverRan.contains(observe);
        });
      if (!planned.isInteger || planned.isDynamic || !lacks)
        continue;
      request(planned);
      planned.isInteger = false;
      if (unit.root->hasAttr(qd::kRequestedAttr))
        unit.root->setAttr(qd::kFallbackAttr,
                           StringAttr::get(function.getContext(),
                                           "no calibration sample takes the "
                                           "branch that it is in"));
      ++summary.neverRan;
    }
    llvm::SetVector<Region *> sides;
    for (qd::ObserveOp observe : neverRan) {
      scf::IfOp branch = branchAround(observe);
      Region *side = &branch.getThenRegion();
      if (!side->isAncestor(observe->getParentRegion()))
        side = &branch.getElseRegion();
      sides.insert(side);
      observe.getResult().replaceAllUsesWith(observe.getInput());
      observe.erase();
    }
    for (Region *side : sides)
      emitWarning(side->getLoc())
          << "none of the " << statistics.samples
          << " calibration samples takes the "
          << (side->getRegionNumber() == 0 ? "then" : "else")
          << " branch: its layers stay float";
  }

  /// Producers that only this concatenation reads take its grid.
  void shareConcatGrid(const QuantizableUnit &unit) {
    if (unit.kind != "concat" || !unit.result().hasOneUse())
      return;
    auto result = dyn_cast<qd::ObserveOp>(*unit.result().getUsers().begin());
    if (!result)
      return;
    for (Value input : unit.inputs) {
      bool onlyReader = input.hasOneUse();
      for (Operation *op = input.getDefiningOp(); op && keepsGrid(op);
           op = input.getDefiningOp()) {
        input = op->getOperand(0);
        onlyReader &= input.hasOneUse();
      }
      auto observe = input.getDefiningOp<qd::ObserveOp>();
      if (!observe || !onlyReader ||
          grids[observe].format.str() != grids[result].format.str())
        continue;
      grids[observe].params = grids[result].params;
      ++summary.sharedGrids;
    }
  }

  /// The scale of the codes times the factor of each channel.
  static std::pair<Value, SmallVector<int64_t>>
  channelScales(OpBuilder &builder, Location loc, RankedTensorType type,
                const ActivationGrid &grid) {
    SmallVector<int64_t> blocks(type.getRank(), 0), shape(type.getRank(), 1);
    blocks.back() = 1;
    shape.back() = type.getShape().back();
    HostTensor values(DType::F32,
                      std::vector<int64_t>(shape.begin(), shape.end()));
    llvm::transform(grid.factors, values.mutableData<float>(),
                    [&](float f) { return f * grid.params.scale; });
    Value scales = makeConstant(
        builder, loc, RankedTensorType::get(shape, builder.getF32Type()),
        "channel_scales", std::move(values));
    return {scales, blocks};
  }

  /// Scale and zero point as constants.
  static std::pair<Value, Value> makeParams(OpBuilder &builder, Location loc,
                                            const QuantParams &params) {
    auto scalar = [&](Type elementType, Attribute value) -> Value {
      auto scalarType = RankedTensorType::get({}, elementType);
      return arith::ConstantOp::create(
          builder, loc, scalarType,
          DenseElementsAttr::get(scalarType, ArrayRef(value)));
    };
    return {scalar(builder.getF32Type(), builder.getF32FloatAttr(params.scale)),
            scalar(builder.getI32Type(),
                   builder.getI32IntegerAttr(params.zeroPoint))};
  }

  void emitCasts(qd::ObserveOp observe, const ActivationGrid &grid) {
    OpBuilder builder(observe);
    Location loc = observe.getLoc();
    auto type = cast<RankedTensorType>(observe.getType());
    Type code = codeType(builder, grid.format);
    auto [scale, zeroPoint] = makeParams(builder, loc, grid.params);
    if (grid.format.minifloat)
      zeroPoint = Value();
    auto codes = RankedTensorType::get(type.getShape(), code);
    qd::QuantizeOp quantize;
    if (!grid.factors.empty()) {
      auto [scales, blocks] = channelScales(builder, loc, type, grid);
      quantize = qd::QuantizeOp::create(builder, loc, codes, observe.getInput(),
                                        scales, zeroPoint, blocks);
    } else {
      quantize = qd::QuantizeOp::create(builder, loc, codes, observe.getInput(),
                                        scale, zeroPoint);
    }
    auto dequantize = qd::DequantizeOp::create(
        builder, loc, type, quantize.getResult(), scale, zeroPoint);
    // The codes carry the name: they are the value from here on.
    quantize->setAttr(qd::kNameAttr, observe.getValueNameAttr());
    dequantize->setAttr(qd::kNameAttr, observe.getValueNameAttr());
    scales[dequantize] = grid.params.scale;
    statisticsOf[dequantize] = *grid.observed;
    if (grid.coarse)
      coarseGrids[dequantize] = *grid.coarse;
    observe.getResult().replaceAllUsesWith(dequantize.getResult());
    observe.erase();
    ++summary.activations;
  }

  /// "a16" where an operand of the unit is codes of 16 bits, the recipe's width
  /// where none is codes yet.
  static std::string precisionRead(const PlannedUnit &planned) {
    unsigned bits = 0;
    for (Value operand : planned.unit.root->getOperands())
      if (auto dequantize =
              gridSource(operand).getDefiningOp<qd::DequantizeOp>())
        if (std::optional<Format> format = qd::getFormat(
                getElementTypeOrSelf(dequantize.getInput().getType())))
          bits = std::max(bits, format->bits());
    return bits ? "a" + std::to_string(bits)
                : planned.layer.activationPrecision();
  }

  /// Says what precision the recipe asks of a unit. A product reads bytes,
  /// whatever others read.
  void request(const PlannedUnit &planned) {
    const QuantizableUnit &unit = planned.unit;
    const LayerRecipe &layer = planned.layer;
    if (!recipe.mustBeInteger(unit.kind))
      return;
    std::string precision;
    if (!unit.contraction)
      precision = precisionRead(planned);
    else if (unit.contraction->weightIsConstant)
      precision = layer.precision();
    else
      precision = layer.activationPrecision();
    unit.root->setAttr(qd::kRequestedAttr,
                       StringAttr::get(function.getContext(), precision));
  }

  /// A product reads bytes: what has a fine grid is rounded to them in front of
  /// it.
  void readBytes(OpOperand &operand) {
    auto source = gridSource(operand.get()).getDefiningOp<qd::DequantizeOp>();
    auto found = coarseGrids.find(source);
    if (found == coarseGrids.end())
      return;
    auto [params, format] = found->second;
    OpBuilder builder(operand.getOwner());
    builder.setInsertionPointAfterValue(operand.get());
    Location loc = source.getLoc();
    auto type = cast<RankedTensorType>(operand.get().getType());
    auto [scale, zeroPoint] = makeParams(builder, loc, params);
    auto quantize = qd::QuantizeOp::create(
        builder, loc, type.clone(codeType(builder, format)), operand.get(),
        scale, zeroPoint);
    auto dequantize = qd::DequantizeOp::create(
        builder, loc, type, quantize.getResult(), scale, zeroPoint);
    if (Attribute name = source->getAttr(qd::kNameAttr)) {
      quantize->setAttr(qd::kNameAttr, name);
      dequantize->setAttr(qd::kNameAttr, name);
    }
    scales[dequantize] = params.scale;
    ValueStatistics values = statisticsOf.find(source)->second;
    statisticsOf[dequantize] = std::move(values);
    operand.set(dequantize);
  }

  void quantizeUnit(PlannedUnit &planned) {
    QuantizableUnit &unit = planned.unit;
    const LayerRecipe &layer = planned.layer;
    if (layer.isWeightOnly() && unit.contraction &&
        unit.contraction->weightIsConstant)
      quantizeBlockWeights(unit, layer.weights, summary);
    if (!planned.isInteger)
      return;
    request(planned);
    if (recipe.nonlinearities &&
        isa<qd::SoftmaxOp, qd::LayerNormOp, qd::RmsNormOp, qd::GeluOp,
            qd::SiluOp>(unit.root))
      unit.root->setAttr(
          qd::kIntegerSchemeAttr,
          qd::IntegerSchemeAttr::get(
              function.getContext(),
              static_cast<qd::IntegerScheme>(recipe.nonlinearities->scheme)));
    if (unit.contraction && !planned.isDynamic)
      for (OpOperand *operand :
           cast<linalg::LinalgOp>(unit.root).getDpsInputOperands())
        readBytes(*operand);
    if (!unit.contraction || !unit.contraction->weightIsConstant)
      return;
    if (layer.weights.format.minifloat)
      return quantizeBlockWeights(unit, layer.weights, summary);
    if (planned.isDynamic) {
      SmallVector<int64_t> outliers = outliersOf(planned);
      if (!outliers.empty())
        splitOutliers(unit, outliers);
      summary.outliers += outliers.size();
      if (layer.weights.granularity == Granularity::Block)
        quantizeBlockWeights(unit, layer.weights, summary);
      else
        quantizeContraction(unit, layer.weights, std::nullopt, nullptr,
                            /*correctBias=*/false, summary);
      quantizeTokens(unit, layer.activations, outliers);
      return;
    }
    // The operand was replaced: ask the op, not the unit.
    Value input = cast<linalg::LinalgOp>(unit.root)
                      .getDpsInputs()[unit.contraction->activationOperand];
    auto dequantize = gridSource(input).getDefiningOp<qd::DequantizeOp>();
    std::optional<float> scale;
    const ValueStatistics *values = nullptr;
    if (auto it = scales.find(dequantize); it != scales.end()) {
      scale = it->second;
      if (keepsMean(input))
        values = &statisticsOf.find(dequantize)->second;
    }
    quantizeContraction(unit, layer.weights, scale, values,
                        recipe.biasCorrection == BiasCorrection::Analytic,
                        summary);
  }

  /// The channels of the unit's activation that stay floats.
  SmallVector<int64_t> outliersOf(const PlannedUnit &planned) const {
    if (!planned.findsOutliers() || !canSplitOutliers(planned.unit))
      return {};
    Value x = activationOf(planned.unit).get();
    auto observe = x.getDefiningOp<qd::ObserveOp>();
    if (!observe)
      return {};
    return llvm::to_vector(findOutlierChannels(
        *statistics.lookup(observe.getValueName()),
        *planned.layer.activations.outliers,
        cast<RankedTensorType>(x.getType()).getShape().back()));
  }

  /// `x` as scales are chosen by it, one value for all products that read it.
  Value withoutOutliers(Value x, ArrayRef<int64_t> outliers) {
    if (outliers.empty())
      return x;
    std::vector<int64_t> channels(outliers.begin(), outliers.end());
    Value &hidden = hiddenOutliers[{x.getAsOpaquePointer(), channels}];
    if (!hidden)
      hidden = hideChannels(x, channels);
    return hidden;
  }

  /// Codes of the activation, with a scale and a zero point for each row that
  /// is summed over, from the data:
  ///
  ///   %s, %z = qd.choose_params %x for i8 block_sizes = [1, 0]
  ///   %q = qd.quantize %x scale %s zero_point %z ... block_sizes = [1, 0]
  ///   %y = qd.dequantize %q scale %s zero_point %z block_sizes = [1, 0]
  void quantizeTokens(const QuantizableUnit &unit,
                      const TensorRecipe &activations,
                      ArrayRef<int64_t> outliers) {
    auto op = cast<linalg::LinalgOp>(unit.root);
    const ContractionStructure &s = *unit.contraction;
    if (!op.getDpsInputs()[s.weightOperand].getDefiningOp<qd::DequantizeOp>())
      return; // its weights could not be quantized
    OpOperand *operand = op.getDpsInputOperand(s.activationOperand);
    Value x = operand->get();
    auto type = cast<RankedTensorType>(x.getType());
    SmallVector<int64_t> blocks(type.getRank(), 1), shape(type.getShape());
    for (unsigned loop : s.inputChannel) {
      blocks[*s.activationDim(loop)] = 0;
      shape[*s.activationDim(loop)] = 1;
    }
    OpBuilder builder(op);
    Location loc = op.getLoc();
    Type code = codeType(builder, activations.format);
    auto params = qd::ChooseParamsOp::create(
        builder, loc, RankedTensorType::get(shape, builder.getF32Type()),
        RankedTensorType::get(shape, builder.getI32Type()),
        withoutOutliers(x, outliers), code, activations.symmetric, blocks);
    Value zero = activations.symmetric ? Value() : params.getZeroPoint();
    auto quantize = qd::QuantizeOp::create(builder, loc, type.clone(code), x,
                                           params.getScale(), zero, blocks);
    auto dequantize =
        qd::DequantizeOp::create(builder, loc, type, quantize.getResult(),
                                 params.getScale(), zero, blocks);
    auto observe = x.getDefiningOp<qd::ObserveOp>();
    StringRef name =
        observe ? observe.getValueName() : valueName(gridSource(x));
    if (!name.empty()) {
      params->setAttr(qd::kNameAttr, builder.getStringAttr(name));
      quantize->setAttr(qd::kNameAttr, builder.getStringAttr(name));
      dequantize->setAttr(qd::kNameAttr, builder.getStringAttr(name));
    }
    operand->set(dequantize);
    ++summary.activations;
  }

  /// Max pools of quantized values are asked to be integer too.
  void requestGridKeeper(Operation *op) {
    if (!getReductionKind(op) || !keepsGrid(op) ||
        !gridSource(op->getOperand(0)).getDefiningOp<qd::DequantizeOp>() ||
        !recipe.mustBeInteger("pool"))
      return;
    LayerRecipe layer = recipe.layer(valueName(op->getResult(0)), "pool");
    if (!layer.keepFloat && !layer.activations.format.minifloat)
      op->setAttr(
          qd::kRequestedAttr,
          StringAttr::get(function.getContext(), layer.activationPrecision()));
  }

  func::FuncOp function;
  const Recipe &recipe;
  const Statistics &statistics;
  QuantizeSummary &summary;
  /// By which channels of observed values are divided, by observer. The plan
  /// does not see the divisions.
  llvm::DenseMap<Operation *, std::vector<float>> factors;
  QuantizationPlan plan;
  std::vector<PlannedUnit> &units;
  ActivationGrids grids;
  /// Those without statistics, in branches.
  llvm::SetVector<qd::ObserveOp> neverRan;
  /// Those that nothing reads as codes.
  SmallVector<qd::ObserveOp> unread;
  llvm::DenseMap<Operation *, ValueStatistics> statisticsOf;
  llvm::DenseMap<Operation *, std::pair<QuantParams, RecipeFormat>> coarseGrids;
  /// By value and channels.
  std::map<std::pair<void *, std::vector<int64_t>>, Value> hiddenOutliers;
  /// The scale of each dequantize that this pass made.
  llvm::DenseMap<Operation *, float> scales;
};

struct Quantize : impl::QuantizePassBase<Quantize> {
  using QuantizePassBase::QuantizePassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    auto fail = [&](llvm::Error error) {
      function.emitError() << llvm::toString(std::move(error));
      signalPassFailure();
    };
    llvm::Expected<Recipe> loaded = Recipe::load(recipe);
    if (!loaded)
      return fail(loaded.takeError());
    Statistics read;
    if (!statistics.empty()) {
      llvm::Expected<Statistics> file = Statistics::read(statistics);
      if (!file)
        return fail(file.takeError());
      read = std::move(*file);
    }
    QuantizeSummary summary;
    if (failed(quantizeProgram(function, *loaded, read, &summary)))
      return signalPassFailure();
    numActivations += summary.activations;
    numContractions += summary.contractions;
    numDeadChannels += summary.deadChannels;
    numRaisedChannels += summary.raisedChannels;
    numSharedGrids += summary.sharedGrids;
    numSmoothed += summary.smoothed;
    numAbsorbed += summary.absorbed;
    numTables += summary.tables;
    numNeverRan += summary.neverRan;
  }
};

/// Is `value` rounded to codes, perhaps behind ops that keep its grid?
bool isRounded(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    return isa<qd::QuantizeOp>(user) ||
           (keepsGrid(user) && isRounded(user->getResult(0)));
  });
}

/// Marks the ops of a model that came with its own casts. It asks for integer
/// products where it dequantizes both sides, and for the rest where it rounds
/// the result, too: the sum of two dequantized embeddings that goes on in
/// floats is a sum of floats.
void requestQuantizedUnits(func::FuncOp function, const Recipe &recipe) {
  bool asksAnything = false;
  for (const QuantizableUnit &unit : collectUnits(function)) {
    LayerRecipe layer = recipe.layer(unit.names(), unit.kind);
    bool quantized = llvm::all_of(unit.inputs, [](Value input) {
      return isa_and_nonnull<qd::DequantizeOp>(
          gridSource(input).getDefiningOp());
    });
    bool asks =
        unit.contraction || unit.kind == "concat" || isRounded(unit.result());
    if (!quantized || !asks || !recipe.mustBeInteger(unit.kind))
      continue;
    unit.root->setAttr(qd::kRequestedAttr,
                       StringAttr::get(function.getContext(),
                                       unit.contraction
                                           ? layer.precision()
                                           : layer.activationPrecision()));
    asksAnything = true;
  }
  // A model without such units is judged by its casts alone.
  if (asksAnything)
    markKeptFloat(function);
}

} // namespace

LogicalResult quantizeProgram(func::FuncOp function, const Recipe &recipe,
                              const Statistics &statistics,
                              QuantizeSummary *summary) {
  Builder builder(function.getContext());
  function->setAttr(qd::kRecipeAttr, builder.getStringAttr(recipe.name));
  function->setAttr(qd::kRescaleAttr,
                    builder.getStringAttr(stringify(recipe.rescale)));
  warnOfUnmatchedRules(function, recipe);
  // Whoever looked for values to observe left the digest; there may be none
  // where all scales are chosen at run time.
  bool observed = hasObservers(function);
  if (!observed && getProgramDigest(function).empty()) {
    requestQuantizedUnits(function, recipe);
    return success();
  }
  if (observed && failed(checkStatistics(function, statistics)))
    return failure();
  if (recipe.smoothing && recipe.smoothing->method == SmoothingMethod::Search)
    return function.emitError()
           << "smoothing: search runs the network on calibration data, which "
              "q-compile does; give an exponent";
  QuantizeSummary local;
  QuantizeSummary &counts = summary ? *summary : local;
  Statistics current = statistics;
  if (recipe.biasAbsorption)
    counts.absorbed = absorbBiases(function, *recipe.biasAbsorption, current);
  if (recipe.smoothing)
    counts.smoothed = smoothActivations(function, recipe, current);
  ProgramQuantizer(function, recipe, current, counts).run();
  return success();
}

} // namespace qdialect
