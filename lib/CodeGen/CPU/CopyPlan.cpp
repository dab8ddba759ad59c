// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "copy" for what no single linear access can say: concatenation and
// padding. Both write whole rows of the output: a row is cut into segments,
// each copied from an input or filled. (Transposes and slices are linear
// accesses and belong to ElementwisePlan.cpp.)

#include "Families.h"

#include "Emitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// A loop over rows of the output.
struct RowLoop {
  int64_t size, low,
      sourceSize; ///< copied where low <= counter < low + sourceSize
};

/// `bytes` of each row at `offset`, from `source`; a null source fills.
struct Segment {
  Value source;
  int64_t offset, bytes;
  unsigned argument = 0;    ///< of the kernel
  int64_t sourceOffset = 0; ///< bytes
};

class CopyPlan : public CpuKernelPlan {
public:
  explicit CopyPlan(const KernelRegion &source) : region(source) {
    family = "copy";
  }

  bool init() {
    elementSize = elementBytes(region.resultType().getElementType());
    bool known = false;
    if (auto concat = dyn_cast<tensor::ConcatOp>(region.root))
      known = readConcat(concat);
    else if (auto pad = dyn_cast<tensor::PadOp>(region.root))
      known = readPad(pad);
    if (!known)
      return false;
    for (Segment &segment : segments)
      if (segment.source && !resolve(segment))
        return false;
    numRows = 1;
    for (const RowLoop &loop : rows)
      numRows *= loop.size;
    int64_t bytes = numRows * rowBytes;
    numTasks = std::clamp<int64_t>(bytes / (32 << 10), 1,
                                   std::min<int64_t>(numRows, 32));
    keyText = family + structureKey(region.dispatch);
    return numRows > 0;
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override {
    OpBuilder::InsertionGuard guard(moduleBuilder);
    Emitter e(region.dispatch.getLoc(), moduleBuilder, target);
    LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                            /*internal=*/false);
    Value args = func.getArgument(0);
    Value output = e.argument(args, region.numInputs());
    SmallVector<Value> sources;
    for (const Segment &segment : segments)
      sources.push_back(
          segment.source
              ? e.at(e.argument(args, segment.argument), segment.sourceOffset)
              : Value());
    auto cut = [&](Value task) {
      return e.div(e.mul(task, numRows), numTasks);
    };
    e.loop(cut(func.getArgument(1)), cut(func.getArgument(2)), 1,
           [&](Value row) {
             Value to = e.at(output, e.mul(row, rowBytes));
             auto [sourceRow, exists] = sourceOf(e, row);
             auto copyRow = [&, from = sourceRow] {
               for (auto [segment, source] : llvm::zip(segments, sources)) {
                 Value place = e.at(to, segment.offset);
                 if (!segment.source)
                   fill(e, place, segment.bytes);
                 else
                   copy(e, place, e.at(source, e.mul(from, segment.bytes)),
                        segment.bytes);
               }
             };
             if (exists)
               e.ifThen(exists, copyRow, [&] { fill(e, to, rowBytes); });
             else
               copyRow();
           });
    e.ret();
    return success();
  }

private:
  static int64_t product(ArrayRef<int64_t> sizes) {
    int64_t result = 1;
    for (int64_t size : sizes)
      result *= size;
    return result;
  }

  bool readConcat(tensor::ConcatOp op) {
    int64_t axis = op.getDim();
    ArrayRef<int64_t> shape = region.resultType().getShape();
    rows.push_back(
        {product(shape.take_front(axis)), 0, product(shape.take_front(axis))});
    for (Value input : op.getInputs()) {
      auto type = cast<RankedTensorType>(input.getType());
      int64_t bytes = product(type.getShape().drop_front(axis)) * elementSize;
      segments.push_back({input, rowBytes, bytes});
      rowBytes += bytes;
    }
    return true;
  }

  bool readPad(tensor::PadOp op) {
    auto low = getConstantIntValues(op.getMixedLowPad());
    auto high = getConstantIntValues(op.getMixedHighPad());
    Value padding = op.getConstantPaddingValue();
    Attribute value;
    if (!low || !high || !padding ||
        !matchPattern(padding, m_Constant(&value)) ||
        llvm::any_of(*low, [](int64_t n) { return n < 0; }) ||
        llvm::any_of(*high, [](int64_t n) { return n < 0; }))
      return false;
    if (auto integer = dyn_cast<IntegerAttr>(value);
        integer && elementSize == 1)
      fillByte = static_cast<uint8_t>(integer.getInt()) ^
                 (isOffsetBinary(integer.getType()) ? 0x80 : 0);
    else if (!matchPattern(padding, m_PosZeroFloat()) &&
             !matchPattern(padding, m_Zero()))
      return false; // only bytes are repeated
    // A row is everything inside the innermost padded dimension.
    ArrayRef<int64_t> source = op.getSourceType().getShape();
    ArrayRef<int64_t> shape = region.resultType().getShape();
    int64_t inner = static_cast<int64_t>(shape.size()) - 1;
    while (inner > 0 && (*low)[inner] == 0 && (*high)[inner] == 0)
      --inner;
    int64_t unit = elementSize * product(shape.drop_front(inner + 1));
    for (int64_t dim = 0; dim < inner; ++dim)
      rows.push_back({shape[dim], (*low)[dim], source[dim]});
    if (rows.empty())
      rows.push_back({1, 0, 1});
    int64_t left = (*low)[inner] * unit, middle = source[inner] * unit;
    rowBytes = shape[inner] * unit;
    if (left > 0)
      segments.push_back({Value(), 0, left});
    segments.push_back({op.getSource(), left, middle});
    if (rowBytes > left + middle)
      segments.push_back({Value(), left + middle, rowBytes - left - middle});
    return true;
  }

  /// The input must be one piece of memory in order.
  bool resolve(Segment &segment) {
    auto type = cast<RankedTensorType>(segment.source.getType());
    SmallVector<LinearForm> identity;
    for (unsigned dim = 0; dim < type.getRank(); ++dim)
      identity.push_back(LinearForm::loop(type.getRank(), dim));
    std::optional<Access> access =
        resolveAccess(segment.source, type.getRank(), identity);
    if (!access)
      return false;
    SmallVector<int64_t> strides = rowMajorStrides(type.getShape());
    for (auto [dim, coefficient] : llvm::enumerate(access->form.coefficients))
      if (type.getDimSize(dim) != 1 && coefficient != strides[dim])
        return false;
    segment.sourceOffset = access->form.offset * elementSize;
    if (auto argument = dyn_cast<BlockArgument>(access->base)) {
      segment.argument = argument.getArgNumber();
      return true;
    }
    std::optional<ConstantView> view = constantView(access->base);
    if (!view)
      return false;
    segment.argument = region.numInputs() + 1 + constants.size();
    constants.push_back(tensorBlob(std::move(*view)));
    return true;
  }

  /// Row of the inputs for a row of the output, and whether there is one (null:
  /// always).
  std::pair<Value, Value> sourceOf(Emitter &e, Value row) {
    bool padded = llvm::any_of(
        rows, [](const RowLoop &loop) { return loop.size != loop.sourceSize; });
    if (!padded)
      return {row, Value()};
    Value from = e.index(0), exists;
    int64_t stride = 1;
    for (const RowLoop &loop : llvm::reverse(rows)) {
      Value counter = e.sub(e.rem(row, loop.size), e.index(loop.low));
      row = e.div(row, loop.size);
      from = e.add(from, e.mul(counter, stride));
      stride *= loop.sourceSize;
      Value inside = arith::CmpIOp::create(e, arith::CmpIPredicate::ult,
                                           counter, e.index(loop.sourceSize));
      exists =
          exists ? Value(arith::AndIOp::create(e, exists, inside)) : inside;
    }
    return {from, exists};
  }

  void fill(Emitter &e, Value place, int64_t bytes) {
    LLVM::MemsetOp::create(e, place, e.constantInt(e.i8(), fillByte),
                           e.index(bytes),
                           /*isVolatile=*/false);
  }
  void copy(Emitter &e, Value place, Value from, int64_t bytes) {
    LLVM::MemcpyOp::create(e, place, from, e.index(bytes),
                           /*isVolatile=*/false);
  }

  KernelRegion region;
  int64_t elementSize = 1, rowBytes = 0, numRows = 1, fillByte = 0;
  SmallVector<RowLoop> rows; // outermost first
  SmallVector<Segment, 4> segments;
};

} // namespace

PlanPtr planCopy(const KernelRegion &region) {
  if (!region.root || !region.steps.empty() ||
      region.result != region.root->getResult(0))
    return nullptr;
  auto plan = std::make_unique<CopyPlan>(region);
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
