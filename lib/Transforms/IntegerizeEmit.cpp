// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every family ends in: an element-wise op with a rounding and a clamp.

#include "IntegerizeFamilies.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Numerics/Rescale.h"
#include "QDialect/Support/ConstantView.h"
#include "Requests.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;

namespace qdialect {
namespace {

/// Offsets below this part of an output step need no addition of their own.
constexpr double kSmallestOffset = 1.0 / 4096;

/// Half a step of each of `roundings` that f32 makes on the way, for results
/// inside the grid (in steps that lie `shift` from it at most). Values beyond
/// the grid saturate alike.
double float32Error(const CodeGrid &grid, int roundings, double shift) {
  return roundings * (grid.range() + 1 + shift) * std::ldexp(1.0, -24) * 1.001;
}

/// Multipliers and shifts, one for each index.
struct DyadicScale {
  Coefficient multipliers, shifts;
  double error = 0;   ///< in output steps
  double largest = 0; ///< product with what is rounded with it

  /// Of numbers that are not negative; a reason in `context` otherwise.
  static std::optional<DyadicScale> choose(IntegerizeContext &context,
                                           const Island &island,
                                           const Coefficient &scale,
                                           int64_t maxAbs) {
    DyadicScale result{scale, scale};
    bool isShort = island.grid.bits() <= 8;
    for (size_t i = 0; i < scale.values.size(); ++i) {
      std::optional<Dyadic> pair =
          isShort ? chooseShortDyadic(scale.values[i], maxAbs)
                  : chooseDyadic(scale.values[i], maxAbs);
      if (!pair) {
        context.refuse(llvm::formatv("its rescale by {0:e3} has no dyadic form",
                                     scale.values[i])
                           .str());
        return std::nullopt;
      }
      result.multipliers.values[i] = pair->multiplier;
      result.shifts.values[i] = pair->shift;
      result.error = std::max(result.error, pair->error);
      double product = static_cast<double>(maxAbs) * pair->multiplier;
      result.largest =
          std::max(result.largest, product + std::ldexp(0.5, pair->shift));
    }
    return result;
  }
};

/// rescale acc multiplier shift zero_point; where the island has a slope,
/// negative accumulators take another multiplier and shift, and the other sign
/// where their slope is negative.
class DyadicRounding {
public:
  static std::optional<DyadicRounding>
  choose(IntegerizeContext &context, const Island &island,
         const Accumulator &accumulator,
         SmallVectorImpl<ElementwiseInput> &inputs) {
    std::optional<DyadicScale> scale = DyadicScale::choose(
        context, island, accumulator.scale, accumulator.maxAbs);
    if (!scale)
      return std::nullopt;
    DyadicRounding result(island);
    result.positive = result.parameters(context, *scale, inputs);
    result.error = scale->error;
    result.largest = scale->largest;
    const std::optional<Coefficient> &slope = island.formula.slope;
    if (!slope)
      return result;
    if (!accumulator.zeroShift.isExactly(0)) {
      context.refuse("its bias exceeds the accumulator, which a leaky relu "
                     "follows");
      return std::nullopt;
    }
    std::optional<DyadicScale> below = DyadicScale::choose(
        context, island,
        combine(accumulator.scale, *slope,
                [](double s, double f) { return s * std::fabs(f); }),
        accumulator.maxAbs);
    if (!below)
      return std::nullopt;
    result.negative = result.parameters(context, *below, inputs);
    result.error = std::max(result.error, below->error);
    result.largest = std::max(result.largest, below->largest);
    if (!slope->allOf([](double f) { return f >= 0; }))
      result.sign = result.constant(
          context, slope->map([](double f) { return f < 0 ? -1 : 1; }), inputs);
    return result;
  }

  double errorLsb() const { return error; }
  double largestProduct() const { return largest; }

  Value emit(OpBuilder &b, Location l, ValueRange args, Value sum,
             Value zeroPoint) const {
    Value multiplier = positive->first.get(b, l, args),
          shift = positive->second.get(b, l, args);
    if (negative) {
      Value zero =
          arith::ConstantOp::create(b, l, b.getZeroAttr(sum.getType()));
      Value isBelow =
          arith::CmpIOp::create(b, l, arith::CmpIPredicate::slt, sum, zero);
      auto choose = [&](Value below, Value above) -> Value {
        return arith::SelectOp::create(b, l, isBelow, below, above);
      };
      multiplier = choose(negative->first.get(b, l, args), multiplier);
      shift = choose(negative->second.get(b, l, args), shift);
      if (sign) {
        Value factor = sign->get(b, l, args);
        if (factor.getType() != sum.getType())
          factor = arith::ExtSIOp::create(b, l, sum.getType(), factor);
        sum = choose(arith::MulIOp::create(b, l, sum, factor), sum);
      }
    }
    return qd::RescaleOp::create(
        b, l, code, sum, multiplier, shift, zeroPoint,
        qd::RoundingAttr::get(b.getContext(), qd::Rounding::HalfEven),
        qd::OverflowAttr::get(b.getContext(), qd::Overflow::Saturate));
  }

private:
  using Parameters = std::pair<PayloadConstant, PayloadConstant>;

  explicit DyadicRounding(const Island &island)
      : loc(island.quantize->getLoc()), code(island.grid.alphabet),
        rank(island.rank()) {}

  PayloadConstant constant(IntegerizeContext &context,
                           const Coefficient &numbers,
                           SmallVectorImpl<ElementwiseInput> &inputs) const {
    return PayloadConstant(context, loc, numbers, context.builder.getI32Type(),
                           rank, inputs);
  }
  Parameters parameters(IntegerizeContext &context, const DyadicScale &scale,
                        SmallVectorImpl<ElementwiseInput> &inputs) const {
    PayloadConstant multiplier = constant(context, scale.multipliers, inputs);
    return {multiplier, constant(context, scale.shifts, inputs)};
  }

  Location loc;
  Type code;
  unsigned rank;
  double error = 0, largest = 0;
  std::optional<Parameters> positive, negative;
  std::optional<PayloadConstant> sign;
};

/// The accumulator's real value in output steps, rounded to a code:
///
///   requantize acc scale zero_point
///   quantize (f32(acc) * scale + offset) scale 1 zero_point
///
/// the second where rounding took a part of an output step from the offset in
/// the accumulator: its steps are coarse.
class FloatRounding {
public:
  FloatRounding(IntegerizeContext &context, const Island &island,
                const Accumulator &accumulator,
                SmallVectorImpl<ElementwiseInput> &inputs)
      : type(island.grid.alphabet),
        scale(context, island.quantize->getLoc(), accumulator.scaleF32,
              context.builder.getF32Type(), island.rank(), inputs) {
    if (accumulator.lostOffset.magnitude() > kSmallestOffset)
      offset.emplace(context, island.quantize->getLoc(), accumulator.lostOffset,
                     context.builder.getF32Type(), island.rank(), inputs);
  }

  bool addsOffset() const { return offset.has_value(); }

  Value emit(OpBuilder &b, Location l, ValueRange args, Value accumulator,
             Value zeroPoint) const {
    Value factor = scale.get(b, l, args);
    if (!offset)
      return qd::RequantizeOp::create(
          b, l, type, accumulator, factor, zeroPoint,
          qd::RoundingAttr::get(b.getContext(), qd::Rounding::HalfEven),
          qd::OverflowAttr::get(b.getContext(), qd::Overflow::Saturate));
    Value real = arith::SIToFPOp::create(b, l, b.getF32Type(), accumulator);
    real = arith::MulFOp::create(b, l, real, factor);
    real = arith::AddFOp::create(b, l, real, offset->get(b, l, args));
    Value one = arith::ConstantOp::create(b, l, b.getF32FloatAttr(1.0f));
    return qd::QuantizeOp::create(b, l, type, real, one, zeroPoint);
  }

private:
  Type type;
  PayloadConstant scale;
  std::optional<PayloadConstant> offset;
};

} // namespace

linalg::GenericOp makeElementwise(
    OpBuilder &builder, Location loc, RankedTensorType type,
    ArrayRef<ElementwiseInput> inputs,
    llvm::function_ref<Value(OpBuilder &, Location, ValueRange)> payload,
    Value like) {
  SmallVector<Value> values;
  SmallVector<AffineMap> maps;
  for (const ElementwiseInput &input : inputs) {
    values.push_back(input.value);
    maps.push_back(input.map);
  }
  Value empty = like ? makeEmptyLike(builder, loc, like, type.getElementType())
                     : makeEmptyFor(builder, loc, type, values, maps);
  maps.push_back(builder.getMultiDimIdentityMap(type.getRank()));
  return linalg::GenericOp::create(
      builder, loc, type, values, ValueRange{empty}, maps,
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel),
      [&](OpBuilder &b, Location l, ValueRange arguments) {
        linalg::YieldOp::create(b, l, payload(b, l, arguments));
      });
}

PayloadConstant::PayloadConstant(IntegerizeContext &context, Location loc,
                                 const Coefficient &values, Type element,
                                 unsigned rank,
                                 SmallVectorImpl<ElementwiseInput> &inputs) {
  OpBuilder &builder = context.builder;
  if (values.isScalar()) {
    scalar = element.isF32()
                 ? TypedAttr(builder.getF32FloatAttr(
                       static_cast<float>(values.values[0])))
                 : TypedAttr(builder.getIntegerAttr(
                       element, static_cast<int64_t>(values.values[0])));
    return;
  }
  argument = inputs.size();
  inputs.push_back({values.makeTensor(builder, loc, element),
                    values.indexingMap(rank, builder.getContext())});
}

Value PayloadConstant::get(OpBuilder &builder, Location loc,
                           ValueRange arguments) const {
  if (scalar)
    return arith::ConstantOp::create(builder, loc, scalar);
  return arguments[argument];
}

IslandEnd::IslandEnd(IntegerizeContext &context, const Island &island,
                     SmallVectorImpl<ElementwiseInput> &inputs,
                     const Coefficient &shift)
    : zero(context, island.quantize->getLoc(),
           combine(island.zeroPoint, shift, std::plus<double>()),
           context.builder.getI32Type(), island.rank(), inputs) {
  auto bound = [&](const std::optional<Coefficient> &codes)
      -> std::optional<PayloadConstant> {
    if (!codes)
      return std::nullopt;
    return PayloadConstant(context, island.quantize->getLoc(), *codes,
                           island.grid.alphabet, island.rank(), inputs);
  };
  lower = bound(island.lowerCodes());
  upper = bound(island.upperCodes());
}

Value IslandEnd::clamp(OpBuilder &builder, Location loc, ValueRange arguments,
                       Value code) const {
  if (lower)
    code = arith::MaxSIOp::create(builder, loc, code,
                                  lower->get(builder, loc, arguments));
  if (upper)
    code = arith::MinSIOp::create(builder, loc, code,
                                  upper->get(builder, loc, arguments));
  return code;
}

Value makeInit(IntegerizeContext &context, linalg::LinalgOp op,
               const Coefficient &init) {
  OpBuilder &builder = context.builder;
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (init.isScalar()) {
    Value number = arith::ConstantOp::create(
        builder, loc,
        builder.getI32IntegerAttr(static_cast<int32_t>(init.values[0])));
    Value empty =
        makeEmptyLike(builder, loc, op->getResult(0), builder.getI32Type());
    return linalg::FillOp::create(builder, loc, number, empty).getResult(0);
  }
  Value constant = init.makeTensor(builder, loc, builder.getI32Type());
  ElementwiseInput input{
      constant, init.indexingMap(type.getRank(), builder.getContext())};
  return makeElementwise(
             builder, loc, type.clone(builder.getI32Type()), input,
             [](OpBuilder &, Location, ValueRange args) { return args[0]; },
             op.getDpsInits()[0])
      .getResult(0);
}

/// The bits that hold numbers of up to `magnitude` in magnitude.
static int64_t bitsOf(double magnitude) {
  // 2^k - 1 needs k bits and a sign; whoever rounded to 2^k one more.
  return magnitude > 0 ? std::ilogb(std::max(magnitude, 1.0)) + 2 : 0;
}

void stateBounds(Operation *op, const std::optional<AccumulatorBound> &bound,
                 double word, double dword) {
  Builder builder(op->getContext());
  if (bound)
    op->setAttr(qd::kAccBoundAttr,
                builder.getDenseI64ArrayAttr({bound->low, bound->high}));
  op->setAttr(qd::kIntermediateBitsAttr,
              builder.getDenseI64ArrayAttr({bitsOf(word), bitsOf(dword)}));
}

void finish(const Island &island, Operation *op, double error) {
  copyMarks(island.nameSource(), op);
  for (Operation *member : island.members)
    if (Attribute request = member->getAttr(qd::kRequestedAttr))
      if (!op->hasAttr(qd::kRequestedAttr) && isAskedToBeInteger(member))
        op->setAttr(qd::kRequestedAttr, request);
  op->removeAttr(qd::kMacsAttr);
  op->setAttr(qd::kErrorLsbAttr,
              Builder(op->getContext()).getF64FloatAttr(error));
}

Value makeRequantize(IntegerizeContext &context, const Island &island,
                     const Accumulator &accumulator) {
  OpBuilder &builder = context.builder;
  Location loc = island.quantize->getLoc();
  SmallVector<ElementwiseInput> inputs(accumulator.inputs.begin(),
                                       accumulator.inputs.end());
  double error = accumulator.error, product = 0;
  linalg::GenericOp op;
  IslandEnd end(context, island, inputs, accumulator.zeroShift);
  if (!context.dyadic) {
    FloatRounding rounding(context, island, accumulator, inputs);
    error += float32Error(island.grid, rounding.addsOffset() ? 5 : 4,
                          accumulator.zeroShift.magnitude());
    if (!rounding.addsOffset())
      error += accumulator.lostOffset.magnitude();
    op = makeElementwise(
        builder, loc, island.type(), inputs,
        [&](OpBuilder &b, Location l, ValueRange args) -> Value {
          Value q = rounding.emit(b, l, args, accumulator.value(b, l, args),
                                  end.zeroPoint(b, l, args));
          return end.clamp(b, l, args, q);
        },
        accumulator.like);
  } else {
    std::optional<DyadicRounding> rounding =
        DyadicRounding::choose(context, island, accumulator, inputs);
    if (!rounding)
      return {};
    error += accumulator.lostOffset.magnitude();
    if (island.formula.slope)
      error *= std::max(1.0, island.formula.slope->magnitude());
    error += rounding->errorLsb();
    product = rounding->largestProduct();
    op = makeElementwise(
        builder, loc, island.type(), inputs,
        [&](OpBuilder &b, Location l, ValueRange args) -> Value {
          Value q = rounding->emit(b, l, args, accumulator.value(b, l, args),
                                   end.zeroPoint(b, l, args));
          return end.clamp(b, l, args, q);
        },
        accumulator.like);
  }
  finish(island, op, error);
  if (context.dyadic || accumulator.bound) {
    // Sums that ops in front compute are i32 modulo 2^32 on the way.
    constexpr double kWord = std::numeric_limits<int32_t>::max();
    auto reach = static_cast<double>(accumulator.maxAbs);
    bool isWord = accumulator.bound && reach <= kWord;
    stateBounds(op, accumulator.bound, isWord ? reach : kWord,
                std::max({product, accumulator.intermediate,
                          isWord || !accumulator.bound ? 0 : reach}));
  }
  return op.getResult(0);
}

Operation *dequantizeSums(IntegerizeContext &context, linalg::LinalgOp op,
                          const IntegerContraction &sums) {
  OpBuilder &builder = context.builder;
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  const Coefficient &scale = sums.scaleF32;
  Operation *real;
  if (getElementTypeOrSelf(sums.value).isInteger(64)) {
    SmallVector<ElementwiseInput> inputs{
        {sums.value, builder.getMultiDimIdentityMap(type.getRank())}};
    PayloadConstant factor(context, loc, scale, builder.getF32Type(),
                           type.getRank(), inputs);
    real = makeElementwise(
        builder, loc, type, inputs,
        [&](OpBuilder &b, Location l, ValueRange args) -> Value {
          Value sum = arith::SIToFPOp::create(b, l, b.getF32Type(), args[0]);
          return arith::MulFOp::create(b, l, sum, factor.get(b, l, args));
        });
  } else {
    // One scale a channel: size one along every other dimension.
    SmallVector<int64_t> blocks(type.getRank(), 0);
    std::vector<int64_t> shape(type.getRank(), 1);
    for (auto [dim, size] : llvm::zip_equal(scale.dims, scale.sizes)) {
      shape[dim] = size;
      blocks[dim] = 1;
    }
    HostTensor values(DType::F32, shape);
    for (size_t i = 0; i < scale.values.size(); ++i)
      values.mutableData<float>()[i] = static_cast<float>(scale.values[i]);
    Value scales = makeConstant(
        builder, loc, RankedTensorType::get(shape, builder.getF32Type()),
        "scales", std::move(values));
    real = qd::DequantizeOp::create(builder, loc, type, sums.value, scales,
                                    Value(), blocks);
  }
  if (Attribute name = op->getAttr(qd::kNameAttr))
    real->setAttr(qd::kNameAttr, name);
  return real;
}

} // namespace qdialect
