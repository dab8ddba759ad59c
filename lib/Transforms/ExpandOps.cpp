// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// qd-expand-ops: the casts on scalars and vectors become arith and math ops.
//
//   %q = qd.requantize %acc scale %s zero_point %z ... : i32, f32, i32 -> i8
// ->
//   %x = arith.sitofp %acc;  %y = arith.mulf %x, %s;  clamp;  math.roundeven;
//   %r = arith.fptosi;  %t = arith.addi %r, %z;  %q = arith.trunci %t
//
// The formulas are those of Numerics/Quantize.h and Numerics/Rescale.h,
// operation by operation: one division, one multiplication, no fma, NaN first.
// Minifloats are ExpandMinifloat.cpp; the other float alphabets, codebooks and
// stochastic rounding have no expansion and are left.

#include "ElementBuilder.h"
#include "QDialect/Transforms/Expand.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace qdialect {
#define GEN_PASS_DEF_EXPANDOPSPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;
using namespace qdialect;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

namespace {

/// The integers [min, max] in codes of `bits` bits.
struct StorageGrid {
  unsigned bits;
  bool isSigned;
  int64_t min, max;

  /// None for an alphabet that is no set of consecutive integers.
  static std::optional<StorageGrid> of(Type alphabet) {
    auto interface = dyn_cast<qd::AlphabetTypeInterface>(alphabet);
    if (!interface ||
        !(qd::isIntegerAlphabet(alphabet) || isa<qd::TernaryType>(alphabet)))
      return std::nullopt;
    auto min = static_cast<int64_t>(interface.getMinFinite());
    auto max = static_cast<int64_t>(interface.getMaxFinite());
    return StorageGrid{interface.getCodeBits(), min < 0, min, max};
  }
};

} // namespace

/// x rounded to an integer, in the type of x; x is finite.
static Value emitRound(ElementBuilder &b, Value x, qd::Rounding rounding) {
  if (rounding == qd::Rounding::HalfEven && QDIALECT_MUTATE == 9)
    rounding =
        qd::Rounding::HalfUp; // seeded fault 9: ties up instead of to even
  switch (rounding) {
  case qd::Rounding::HalfEven:
    return b.make<math::RoundEvenOp>(x);
  case qd::Rounding::HalfAway:
    return b.make<math::RoundOp>(x);
  case qd::Rounding::Floor:
    return b.make<math::FloorOp>(x);
  case qd::Rounding::Trunc:
    return b.make<math::TruncOp>(x);
  case qd::Rounding::HalfUp: {
    // floor(x + 1/2) would round the sum; the comparisons are exact, and the
    // first one keeps integers where 1/2 is below the spacing.
    Value floor = b.make<math::FloorOp>(x);
    Value middle = b.make<arith::AddFOp>(floor, b.constantF32(0.5));
    Value above = b.make<arith::AddFOp>(floor, b.constantF32(1.0));
    Value up = b.make<arith::AndIOp>(b.compare(CmpFPredicate::OGT, x, floor),
                                     b.compare(CmpFPredicate::OGE, x, middle));
    return b.select(up, above, floor);
  }
  case qd::Rounding::Stochastic:
    break;
  }
  llvm_unreachable("stochastic rounding has no expansion");
}

/// z + round(clamp(real, min - z, max - z)), NaN counting as 0, as i32;
/// Numerics' clampRound. `z` may be null.
static Value emitClampRound(ElementBuilder &b, Value real, Value z,
                            const StorageGrid &grid, qd::Rounding rounding) {
  // Seeded fault 11: NaN is not caught.
  if (QDIALECT_MUTATE != 11)
    real = b.select(b.compare(CmpFPredicate::UNO, real, real),
                    b.constantF32(0.0), real);
  // Seeded fault 10: the upper end is one code short.
  int64_t max = grid.max - (QDIALECT_MUTATE == 10 ? 1 : 0);
  Value low, high;
  if (z) {
    auto bound = [&](int64_t end) {
      Value distance = b.make<arith::SubIOp>(b.constant(b.i32(), end), z);
      return b.make<arith::SIToFPOp>(b.typeOf(b.f32()), distance);
    };
    low = bound(grid.min);
    high = bound(max);
  } else {
    low = b.constantF32(static_cast<double>(grid.min));
    high = b.constantF32(static_cast<double>(max));
  }
  real = b.select(b.compare(CmpFPredicate::OLT, real, low), low, real);
  real = b.select(b.compare(CmpFPredicate::OGT, real, high), high, real);
  Value rounded =
      b.make<arith::FPToSIOp>(b.typeOf(b.i32()), emitRound(b, real, rounding));
  return z ? b.make<arith::AddIOp>(rounded, z) : rounded;
}

/// The low bits of z + round(real), NaN and infinities counting as 0, as i32.
static Value emitWrapRound(ElementBuilder &b, Value real, Value z,
                           const StorageGrid &grid, qd::Rounding rounding) {
  Value magnitude = b.make<math::AbsFOp>(real);
  Value infinity = b.constantF32(std::numeric_limits<double>::infinity());
  Value isFinite = b.compare(CmpFPredicate::OLT, magnitude, infinity);
  real = b.select(isFinite, real, b.constantF32(0.0));
  Value rounded = emitRound(b, real, rounding);
  // rounded mod 2^bits; exact, because 2^bits only moves the exponent.
  double modulus = static_cast<double>(int64_t(1) << grid.bits);
  Value scaled = b.make<arith::MulFOp>(rounded, b.constantF32(1.0 / modulus));
  Value multiple = b.make<arith::MulFOp>(b.make<math::FloorOp>(scaled),
                                         b.constantF32(modulus));
  Value rest = b.make<arith::SubFOp>(rounded, multiple);
  Value code = b.make<arith::FPToSIOp>(b.typeOf(b.i32()), rest);
  return z ? b.make<arith::AddIOp>(code, z) : code;
}

/// A real quotient or product to the codes of `alphabet`.
static Value emitEncode(ElementBuilder &b, Value real, Value z, Type alphabet,
                        const StorageGrid &grid, qd::Rounding rounding,
                        qd::Overflow overflow) {
  bool wraps =
      overflow == qd::Overflow::Wrap && qd::isIntegerAlphabet(alphabet);
  Value code = wraps ? emitWrapRound(b, real, z, grid, rounding)
                     : emitClampRound(b, real, z, grid, rounding);
  return b.fromStorage(b.resize(code, grid.bits, grid.isSigned), alphabet);
}

/// x / 2^n rounded, i64; 0 <= n <= 62. With mask = 2^n - 1, adding mask >> 1
/// before the shift rounds to nearest, ties down, and one more sends a tie up;
/// both are 0 for n = 0.
static Value emitRoundingShift(ElementBuilder &b, Value x, Value n,
                               qd::Rounding rounding) {
  Value zero = b.constant(b.i64(), int64_t(0));
  Value one = b.constant(b.i64(), int64_t(1));
  if (rounding == qd::Rounding::Floor)
    return b.make<arith::ShRSIOp>(x, n);
  Value mask = b.make<arith::SubIOp>(b.make<arith::ShLIOp>(one, n), one);
  if (rounding == qd::Rounding::Trunc) {
    Value isNegative = b.compare(CmpIPredicate::slt, x, zero);
    Value bias = b.select(isNegative, mask, zero);
    return b.make<arith::ShRSIOp>(b.make<arith::AddIOp>(x, bias), n);
  }
  Value tieUp = b.make<arith::AndIOp>(mask, one);
  if (rounding == qd::Rounding::HalfEven && QDIALECT_MUTATE != 9) {
    Value floor = b.make<arith::ShRSIOp>(x, n);
    tieUp = b.make<arith::AndIOp>(tieUp, floor);
  } else if (rounding == qd::Rounding::HalfAway) {
    Value isNegative = b.compare(CmpIPredicate::slt, x, zero);
    tieUp = b.select(isNegative, zero, tieUp);
  }
  Value half = b.make<arith::ShRUIOp>(mask, one);
  Value bias = b.make<arith::AddIOp>(half, tieUp);
  return b.make<arith::ShRSIOp>(b.make<arith::AddIOp>(x, bias), n);
}

/// f32(q - z), rounded once, for codes of `width` bits: i64 for 32-bit codes,
/// where q - z fits; i32 for those of at most 16 bits. There q - z fits for a
/// constant z that is not at the end of i32. For others it is the difference of
/// two floats that are exact, q - (z mod 2^23) and the multiple of 2^23 in z.
static Value emitDistance(ElementBuilder &b, Value codes, Value zeroPoint,
                          unsigned width) {
  Type f32 = b.typeOf(b.f32());
  Value z = b.resize(b.inShape(zeroPoint), width, /*isSigned=*/true);
  APInt known;
  bool fits = width > 32 || (matchPattern(zeroPoint, m_ConstantInt(&known)) &&
                             known.isSignedIntN(31));
  if (fits)
    return b.make<arith::SIToFPOp>(f32, b.make<arith::SubIOp>(codes, z));
  constexpr int64_t kLow = (int64_t(1) << 23) - 1;
  Value low = b.make<arith::AndIOp>(z, b.constant(b.i32(), kLow));
  Value high = b.make<arith::AndIOp>(z, b.constant(b.i32(), ~kLow));
  Value near = b.make<arith::SubIOp>(codes, low);
  return b.make<arith::SubFOp>(b.make<arith::SIToFPOp>(f32, near),
                               b.make<arith::SIToFPOp>(f32, high));
}

namespace {

/// Refuses tensors (qd-cast-to-linalg is theirs), the alphabets that are no
/// integers and the rounding that needs an element's index.
template <typename Op>
FailureOr<StorageGrid> matchCast(Op op, Type alphabet,
                                 PatternRewriter &rewriter) {
  if (isa<TensorType>(op.getType()))
    return rewriter.notifyMatchFailure(op, "on tensors");
  std::optional<StorageGrid> grid = StorageGrid::of(alphabet);
  if (!grid)
    return rewriter.notifyMatchFailure(op, "alphabet is not an integer range");
  return *grid;
}

template <typename Op>
FailureOr<StorageGrid> matchRounding(Op op, PatternRewriter &rewriter) {
  if (op.getRounding() == qd::Rounding::Stochastic)
    return rewriter.notifyMatchFailure(op, "stochastic rounding");
  FailureOr<StorageGrid> grid =
      matchCast(op, getElementTypeOrSelf(op.getType()), rewriter);
  if (succeeded(grid) && grid->bits > 16)
    return rewriter.notifyMatchFailure(op, "codes wider than 16 bits");
  return grid;
}

struct ExpandQuantize : OpRewritePattern<qd::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<StorageGrid> grid = matchRounding(op, rewriter);
    if (failed(grid))
      return failure();
    ElementBuilder b(rewriter, op.getLoc(), op.getType());
    Value x = b.toF32(op.getInput());
    Value scale = emitScaleProduct(b, op.getScales());
    Value z = op.getZeroPoint() ? b.inShape(op.getZeroPoint()) : Value();
    if (z && op.getZeroPointDomain() == qd::ZeroPointDomain::Real) {
      x = b.make<arith::SubFOp>(x, b.toF32(z));
      z = {};
    }
    Value quotient = b.make<arith::DivFOp>(x, scale);
    rewriter.replaceOp(op, emitEncode(b, quotient, z,
                                      getElementTypeOrSelf(op.getType()), *grid,
                                      op.getRounding(), op.getOverflow()));
    return success();
  }
};

struct ExpandDequantize : OpRewritePattern<qd::DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<StorageGrid> grid =
        matchCast(op, getElementTypeOrSelf(op.getInput().getType()), rewriter);
    if (failed(grid))
      return failure();
    ElementBuilder b(rewriter, op.getLoc(), op.getType());
    unsigned width = grid->bits <= 16 ? 32 : 64;
    Value codes = b.resize(b.toStorage(op.getInput()), width, grid->isSigned);
    Value z = op.getZeroPoint();
    bool isReal = op.getZeroPointDomain() == qd::ZeroPointDomain::Real;
    Value real = z && !isReal
                     ? emitDistance(b, codes, z, width)
                     : b.make<arith::SIToFPOp>(b.typeOf(b.f32()), codes);
    real = b.make<arith::MulFOp>(real, emitScaleProduct(b, op.getScales()));
    if (z && isReal)
      real = b.make<arith::AddFOp>(real, b.toF32(b.inShape(z)));
    rewriter.replaceOp(op, b.fromF32(real, getElementTypeOrSelf(op.getType())));
    return success();
  }
};

struct ExpandRequantize : OpRewritePattern<qd::RequantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::RequantizeOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<StorageGrid> grid = matchRounding(op, rewriter);
    if (failed(grid))
      return failure();
    ElementBuilder b(rewriter, op.getLoc(), op.getType());
    Value real = b.make<arith::SIToFPOp>(b.typeOf(b.f32()), op.getInput());
    real = b.make<arith::MulFOp>(real, emitScaleProduct(b, op.getScale()));
    Value z = op.getZeroPoint() ? b.inShape(op.getZeroPoint()) : Value();
    rewriter.replaceOp(op, emitEncode(b, real, z,
                                      getElementTypeOrSelf(op.getType()), *grid,
                                      op.getRounding(), op.getOverflow()));
    return success();
  }
};

struct ExpandRescale : OpRewritePattern<qd::RescaleOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::RescaleOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getRounding() == qd::Rounding::Stochastic)
      return rewriter.notifyMatchFailure(op, "stochastic rounding");
    Type alphabet = getElementTypeOrSelf(op.getType());
    FailureOr<StorageGrid> grid = matchCast(op, alphabet, rewriter);
    if (failed(grid))
      return failure();
    ElementBuilder b(rewriter, op.getLoc(), op.getType());
    auto wide = [&](Value value) {
      return b.resize(b.inShape(value), 64, /*isSigned=*/true);
    };
    Value product =
        b.make<arith::MulIOp>(wide(op.getInput()), wide(op.getMultiplier()));
    Value code =
        emitRoundingShift(b, product, wide(op.getShift()), op.getRounding());
    if (op.getZeroPoint())
      code = b.make<arith::AddIOp>(code, wide(op.getZeroPoint()));
    if (op.getOverflow() == qd::Overflow::Saturate) {
      int64_t max = grid->max - (QDIALECT_MUTATE == 10 ? 1 : 0);
      code = b.make<arith::MaxSIOp>(code, b.constant(b.i64(), grid->min));
      code = b.make<arith::MinSIOp>(code, b.constant(b.i64(), max));
    }
    code = b.resize(code, grid->bits, grid->isSigned);
    rewriter.replaceOp(op, b.fromStorage(code, alphabet));
    return success();
  }
};

/// A scalar look-up: the code's bits are the index, so -1 of i8 reads 255.
struct ExpandLookup : OpRewritePattern<qd::LookupOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::LookupOp op,
                                PatternRewriter &rewriter) const override {
    if (isa<ShapedType>(op.getType()))
      return rewriter.notifyMatchFailure(op, "not on scalars");
    ElementBuilder b(rewriter, op.getLoc(), op.getType());
    Value index = b.make<arith::IndexCastUIOp>(rewriter.getIndexType(),
                                               b.toStorage(op.getCodes()));
    rewriter.replaceOpWithNewOp<tensor::ExtractOp>(op, op.getTable(), index);
    return success();
  }
};

struct ExpandOpsPass : qdialect::impl::ExpandOpsPassBase<ExpandOpsPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateExpandOpsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void qdialect::populateExpandOpsPatterns(RewritePatternSet &patterns) {
  patterns.add<ExpandQuantize, ExpandDequantize, ExpandRequantize,
               ExpandRescale, ExpandLookup>(patterns.getContext());
  populateExpandMinifloatPatterns(patterns);
}
