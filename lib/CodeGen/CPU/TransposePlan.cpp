// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "copy" for transposes whose innermost loop walks the source in
// steps and whose loop around that one walks it in order, channel-last to
// channel-first and back. Squares of 16 bytes are transposed in registers: each
// round interleaves the upper half of the rows with the lower.

#include "Families.h"

#include "Emitter.h"
#include "Payload.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

class TransposePlan : public CpuKernelPlan {
public:
  explicit TransposePlan(const KernelRegion &source) : region(source) {
    family = "copy";
  }

  bool init() {
    std::optional<Epilogue> resolved = Epilogue::create(region, constants);
    if (!resolved || !resolved->isPassThrough() || resolved->sizes.size() < 2)
      return false;
    epilogue = std::move(*resolved);
    const Epilogue::Operand &from = epilogue.passThrough();
    if (from.kind != Epilogue::Operand::Memory)
      return false;
    bytes = elementBytes(region.resultType().getElementType());
    side = kSquareBytes / bytes;
    columns = epilogue.sizes.back();
    rows = epilogue.sizes[epilogue.sizes.size() - 2];
    steps = from.form.coefficients;
    int64_t columnStep = steps.pop_back_val(), rowStep = steps.pop_back_val();
    distance = columnStep * bytes;
    if (rowStep != 1 || columnStep <= 1 || rows < side || columns < side)
      return false;
    outer = llvm::product_of(outerSizes());
    constexpr int64_t kTaskBytes = 32 << 10, kMostTasks = 64;
    numTasks = std::clamp<int64_t>(outer * rows * columns * bytes / kTaskBytes,
                                   1, std::min(kMostTasks, numUnits(side)));
    keyText = "transpose" + epilogue.key();
    return true;
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override {
    OpBuilder::InsertionGuard guard(moduleBuilder);
    Emitter e(region.dispatch.getLoc(), moduleBuilder, target);
    LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                            /*internal=*/false);
    Value args = func.getArgument(0);
    Value source = passThroughStart(e, epilogue, args);
    Value output = e.argument(args, region.numInputs());
    // As many squares side by side as a register and the rows hold.
    int64_t height = target.hasAvx512() ? 4 * side : side;
    while (height > rows)
      height /= 2;

    int64_t units = numUnits(height), perOuter = rows / height;
    auto cut = [&](Value task) { return e.div(e.mul(task, units), numTasks); };
    e.loop(
        cut(func.getArgument(1)), cut(func.getArgument(2)), 1, [&](Value unit) {
          Value number = e.div(unit, perOuter), piece = e.rem(unit, perOuter);
          Value in = e.at(source, outerOffset(e, number)),
                out = e.at(output, e.mul(number, rows * columns * bytes));
          emitRows(e, in, out, e.mul(piece, height), height);
          // Rows that fill no unit are the last one's.
          if (rows % height != 0)
            e.ifThen(
                arith::CmpIOp::create(e, arith::CmpIPredicate::eq, piece,
                                      e.index(perOuter - 1)),
                [&] { emitRows(e, in, out, e.index(rows - height), height); });
        });
    e.ret();
    return success();
  }

private:
  static constexpr int64_t kSquareBytes = 16;

  ArrayRef<int64_t> outerSizes() const {
    return ArrayRef(epilogue.sizes).drop_back(2);
  }
  int64_t numUnits(int64_t height) const { return outer * (rows / height); }

  /// Bytes from the source's start to what the outer loops, joined row-major,
  /// read at `number`.
  Value outerOffset(Emitter &e, Value number) const {
    Value offset = e.index(0);
    for (auto [size, step] :
         llvm::reverse(llvm::zip(outerSizes(), ArrayRef(steps)))) {
      offset = e.add(offset, e.mul(e.rem(number, size), step * bytes));
      number = e.div(number, size);
    }
    return offset;
  }

  /// `height` rows of the result from `row` on.
  void emitRows(Emitter &e, Value in, Value out, Value row,
                int64_t height) const {
    Value from = e.at(in, e.mul(row, bytes)),
          to = e.at(out, e.mul(row, columns * bytes));
    auto emitSquares = [&](Value column) {
      emitTranspose(e, e.at(from, e.mul(column, distance)),
                    e.at(to, e.mul(column, bytes)), height);
    };
    e.loop(e.index(0), e.index(columns / side * side), side, emitSquares);
    if (columns % side != 0)
      emitSquares(e.index(columns - side));
  }

  /// Squares that lie side by side in `from` and below each other in `to`.
  void emitTranspose(Emitter &e, Value from, Value to, int64_t height) const {
    // Bits are moved, whatever they mean.
    Type element = e.getIntegerType(static_cast<unsigned>(8 * bytes));
    SmallVector<Value> lines;
    for (int64_t i = 0; i < side; ++i)
      lines.push_back(
          e.load(Emitter::vector(element, height), e.at(from, i * distance)));
    for (int64_t round = 1; round < side; round *= 2) {
      SmallVector<Value> next;
      for (int64_t i = 0; i < side / 2; ++i)
        for (bool upper : {false, true})
          next.push_back(e.interleave(lines[i], lines[side / 2 + i], upper));
      lines = std::move(next);
    }
    for (int64_t square = 0; square < height; square += side)
      for (int64_t i = 0; i < side; ++i)
        e.store(e.slice(lines[i], square, side),
                e.at(to, (square + i) * columns * bytes));
  }

  KernelRegion region;
  Epilogue epilogue;
  int64_t bytes = 1;                        ///< of an element
  int64_t side = 1;                         ///< elements of a square's row
  int64_t outer = 1, rows = 1, columns = 1; ///< of the result
  int64_t distance = 0; ///< of neighbours of a row in the source, in bytes
  SmallVector<int64_t> steps; ///< of the outer loops in the source, elements
};

} // namespace

PlanPtr planTranspose(const KernelRegion &region) {
  if (region.root || !region.steps.empty())
    return nullptr;
  auto plan = std::make_unique<TransposePlan>(region);
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
