// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The families of islands and what they share. Each family takes a matched
// island and returns its codes as an i8 tensor, or null and a reason; it makes
// its ops in front of the quantize and erases nothing.

#ifndef QDIALECT_LIB_TRANSFORMS_INTEGERIZEFAMILIES_H
#define QDIALECT_LIB_TRANSFORMS_INTEGERIZEFAMILIES_H

#include "IntegerizeRetype.h"
#include "Island.h"
#include "QDialect/Analysis/AccumulatorBounds.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/Twine.h"

namespace qdialect {

struct IntegerizeContext {
  mlir::OpBuilder builder;
  bool dyadic = false;
  /// Why the last family refused.
  std::string reason;

  mlir::Value refuse(const llvm::Twine &why) {
    reason = why.str();
    return {};
  }
};

/// An input of an element-wise op.
struct ElementwiseInput {
  mlir::Value value;
  mlir::AffineMap map;
};

/// An element-wise linalg.generic of `type` (PhaseContract section 1). Its
/// sizes are those of `like`, or follow from the inputs.
mlir::linalg::GenericOp makeElementwise(
    mlir::OpBuilder &builder, mlir::Location loc, mlir::RankedTensorType type,
    llvm::ArrayRef<ElementwiseInput> inputs,
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                   mlir::ValueRange)>
        payload,
    mlir::Value like = {});

/// The coefficient's numbers as an element of a payload: a constant in the
/// payload for one number, else another input. Integers are rounded already.
class PayloadConstant {
public:
  PayloadConstant(IntegerizeContext &context, mlir::Location loc,
                  const Coefficient &values, mlir::Type element, unsigned rank,
                  llvm::SmallVectorImpl<ElementwiseInput> &inputs);
  /// Inside the payload whose block has `arguments`.
  mlir::Value get(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::ValueRange arguments) const;

private:
  mlir::TypedAttr scalar;
  unsigned argument = 0;
};

/// An i32 or i64 accumulator and how its numbers relate to the island's grid.
struct Accumulator {
  /// What it is computed from, and how; the block arguments are the inputs.
  llvm::SmallVector<ElementwiseInput, 2> inputs;
  std::function<mlir::Value(mlir::OpBuilder &, mlir::Location,
                            mlir::ValueRange)>
      value;
  /// Has the sizes of the result where the inputs do not tell all of them.
  mlir::Value like;
  int64_t maxAbs = 0; ///< proven
  /// Where the payload itself computes it and no op before: both its ends.
  std::optional<AccumulatorBound> bound;
  double intermediate = 0; ///< the largest i64 on the way there
  Coefficient scale;       ///< output steps per accumulator step, exact
  Coefficient scaleF32;    ///< the same as float mode rounds it
  /// Whole output steps to add after the rounding, an even number.
  Coefficient zeroShift = Coefficient::scalar(0);
  /// What rounding took away from the constant in the accumulator, in output
  /// steps.
  Coefficient lostOffset = Coefficient::scalar(0);
  /// What else was lost, in output steps.
  double error = 0;
};

/// requantize or rescale, then the clamp: the codes of the island.
mlir::Value makeRequantize(IntegerizeContext &context, const Island &island,
                           const Accumulator &accumulator);

/// What a rounding in a payload needs of its island: the zero point to add
/// after it, then max and min with the codes of the bounds.
class IslandEnd {
public:
  /// `shift`: whole output steps to add to the zero point.
  IslandEnd(IntegerizeContext &context, const Island &island,
            llvm::SmallVectorImpl<ElementwiseInput> &inputs,
            const Coefficient &shift = Coefficient::scalar(0));
  mlir::Value zeroPoint(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::ValueRange arguments) const {
    return zero.get(builder, loc, arguments);
  }
  mlir::Value clamp(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::ValueRange arguments, mlir::Value code) const;

private:
  PayloadConstant zero;
  std::optional<PayloadConstant> lower, upper;
};

/// Marks the op that ends the island: its name, its request, its error.
void finish(const Island &island, mlir::Operation *op, double error);

/// States what the numbers that `op` rounds can be, where it computes them
/// (`qd.acc_bound`), and the widths of what it computes on the way
/// (`qd.intermediate_bits`): `word` and `dword` are the largest of 32 and of 64
/// bits, a rounding's half step included.
void stateBounds(mlir::Operation *op,
                 const std::optional<AccumulatorBound> &bound, double word,
                 double dword);

/// An i32 tensor shaped like the result of `op`, of numbers over its
/// dimensions.
mlir::Value makeInit(IntegerizeContext &context, mlir::linalg::LinalgOp op,
                     const Coefficient &init);

// The families.
mlir::Value integerizeContraction(IntegerizeContext &context,
                                  const Island &island);
mlir::Value integerizePool(IntegerizeContext &context, const Island &island);
mlir::Value integerizeInterpolation(IntegerizeContext &context,
                                    const Island &island);
mlir::Value integerizeSum(IntegerizeContext &context, const Island &island);
mlir::Value integerizeProduct(IntegerizeContext &context, const Island &island);

/// A function of one tensor of 8 or 16-bit codes, whatever it is.
struct IslandTable {
  qd::QuantizeOp quantize;
  mlir::Value codes; ///< what the function reads
  /// Its codes for each bit pattern of those.
  std::vector<int64_t> entries;
  double error;            ///< of those to the exact ones, in codes
  mlir::Operation *marked; ///< whose name the result takes

  /// Nothing if the quantize reads no such function. `inFloats`: arithmetic is
  /// that of f32, not of real numbers.
  static std::optional<IslandTable> evaluate(qd::QuantizeOp quantize,
                                             bool inFloats);
  /// Null if it is more than that.
  mlir::Value makeClamp(IntegerizeContext &context);
  mlir::Value makeLookup(IntegerizeContext &context);
};

/// softmax, layer norm, gelu or silu in the integer form that its
/// `qd.integer_scheme` names; null without a reason where there is none.
mlir::Value integerizeNonlinear(IntegerizeContext &context,
                                qd::QuantizeOp quantize);

/// What is read from a table of floats and rounded: the codes of the table.
mlir::Value integerizeGather(IntegerizeContext &context,
                             qd::QuantizeOp quantize);

/// An affine function of an integer of the model that is rounded: a table.
mlir::Value integerizeIntegerInput(IntegerizeContext &context,
                                   qd::QuantizeOp quantize);

/// A coefficient for the output channels of a contraction, in the dimensions of
/// its result, still without values.
Coefficient perOutputChannel(const ContractionStructure &structure);

/// The integer contraction in place of a float one: `accumulator[channel] =
/// init + sum of code * weight`, in which init holds the zero point
/// compensation and `offset` (a real number per output element, in the root's
/// dimensions). If its result is rounded to the grid `output`, an offset that
/// exceeds the accumulator leaves whole steps of it to the zero point.
struct IntegerContraction {
  mlir::Value value; ///< of i32; of i64 where sums without an output need that
  int64_t maxAbs = 0;
  Coefficient scale;    ///< real value of one step, over channel dimensions
  Coefficient scaleF32; ///< RN(sx * sw)
  /// Real value that rounding took from the offset.
  Coefficient lostOffset = Coefficient::scalar(0);
  double error = 0; ///< real value that was lost besides
  /// Output steps of the offset that are not in the accumulator.
  Coefficient zeroShift = Coefficient::scalar(0);
};
std::optional<IntegerContraction>
makeIntegerContraction(IntegerizeContext &context, mlir::linalg::LinalgOp op,
                       const Coefficient &factor, const Coefficient &offset,
                       const CodeGrid *output);

/// The same for a product of two activations, whose zero points stand in the
/// payload: out + (ext(a) - za) * (ext(b) - zb).
std::optional<IntegerContraction> makeIntegerProduct(IntegerizeContext &context,
                                                     mlir::linalg::LinalgOp op,
                                                     const Coefficient &factor,
                                                     const Coefficient &offset,
                                                     bool isRounded);

/// The sums of `op` as real numbers of its type.
mlir::Operation *dequantizeSums(IntegerizeContext &context,
                                mlir::linalg::LinalgOp op,
                                const IntegerContraction &sums);

// Families of products that end in floats. Each gives the product's result,
// null if the product is none of its own, or a failure and a reason if it is
// and has no such form.

/// A product whose weights (and activations) have a scale for each block of the
/// summed dimension, as qd.block_matmul.
mlir::FailureOr<mlir::Value> integerizeBlockProduct(IntegerizeContext &context,
                                                    mlir::linalg::LinalgOp op);
/// The same for bytes with one scale a channel, as one block, by activations
/// with scales made at run time.
mlir::FailureOr<mlir::Value>
integerizeOneBlockProduct(IntegerizeContext &context,
                          mlir::linalg::LinalgOp op);

/// A product whose activation has a scale (and a zero point) for each row, made
/// at run time:
///
///   f32(sum of code * weight - z[row] * sum of weight) * (sx[row] *
///   sw[channel])
mlir::FailureOr<mlir::Value> integerizeTokenProduct(IntegerizeContext &context,
                                                    mlir::linalg::LinalgOp op);

/// Lets a payload that reads a dequantized constant read its codes; false if
/// the table has no such form.
bool integerizeTableRead(mlir::tensor::ExtractOp read);

/// `tensor` without its dimensions of size one that are not `kept`.
mlir::Value dropUnitDims(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value tensor, llvm::ArrayRef<unsigned> kept);

/// An i32 tensor of zeros.
mlir::Value makeZeroSums(mlir::OpBuilder &builder, mlir::Location loc,
                         llvm::ArrayRef<mlir::OpFoldResult> sizes);

/// A coefficient over dimensions of the weight in those of the output; nothing
/// when it varies along a summed one.
std::optional<Coefficient> toOutputDims(const Coefficient &coefficient,
                                        const ContractionStructure &structure);

/// The codes of an activation operand and their grid; a reason otherwise.
std::optional<CodeGrid> activationGrid(IntegerizeContext &context,
                                       mlir::Value activation);

/// What the signed bytes of codes of 2 to 16 bits can be: the codes themselves,
/// or the high bytes and the low ones, code = 256 * high + low + 128.
llvm::SmallVector<CodeGrid, 2> byteGrids(const CodeGrid &grid);

/// Those bytes.
struct CodeBytes {
  mlir::Value codes;
  CodeGrid grid;
};
llvm::SmallVector<CodeBytes, 2>
splitCodes(mlir::OpBuilder &builder, mlir::Value codes, const CodeGrid &grid);

/// How sums over the high and the low bytes of codes become one.
enum class SumJoin {
  Exact,  ///< 256 * high + low in i32, modulo 2^32
  Coarse, ///< in steps of 256, high + floor(low / 256); low has half a step
          ///< more
  Wide    ///< 256 * high + low in i64
};
constexpr int32_t kHalfCoarseStep = 128;

mlir::Value joinSums(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value high, mlir::Value low, SumJoin how);

/// The sum of two integer tensors of one shape, in the type of the first.
mlir::Value addSums(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value a,
                    mlir::Value b);

/// A constant contraction operand as signed weights of 8 or 16 bits.
struct IntegerWeights {
  mlir::Value value; ///< an i8 constant of the operand's shape
  std::vector<int8_t> codes;
  /// Weights that do not fit i8: neither value nor codes are there.
  std::vector<int16_t> wide;
  llvm::SmallVector<int64_t> shape;
  Coefficient scale; ///< over the operand's dimensions
  /// Taken into the codes where the differences fit.
  std::optional<Coefficient> zeroPoint;

  bool isWide() const { return !wide.empty(); }
};
std::optional<IntegerWeights> readWeights(IntegerizeContext &context,
                                          mlir::Value operand);

/// The sum of codes that each element of the result of `op` is made of, as an
/// input of an element-wise op of its shape.
ElementwiseInput sumActivations(IntegerizeContext &context,
                                mlir::linalg::LinalgOp op,
                                const ContractionStructure &structure,
                                const CodeBytes &activation);

/// The i32 `accumulator` of the integer form of `op` (the sum of code * weight)
/// less `zero`, which may vary over its output channels, times the sum of
/// codes.
mlir::Value subtractWeightZeroPoint(IntegerizeContext &context,
                                    mlir::linalg::LinalgOp op,
                                    const ContractionStructure &structure,
                                    const CodeBytes &activation,
                                    mlir::Value accumulator,
                                    const Coefficient &zero);

} // namespace qdialect

#endif // QDIALECT_LIB_TRANSFORMS_INTEGERIZEFAMILIES_H
