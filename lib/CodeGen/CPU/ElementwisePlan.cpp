// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "elementwise": steps without a root, and views that only move
// data. Outer loops are rows, the innermost is walked in blocks of vectors;
// when every operand is read in order the whole tensor is one row cut into even
// pieces.

#include "Families.h"
#include "Payload.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// Elements a task should have at least: a task costs a few dozen cycles.
constexpr int64_t kTaskElements = 4096;
constexpr int64_t kMaxTasks = 64;

class ElementwisePlan : public CpuKernelPlan {
public:
  explicit ElementwisePlan(const KernelRegion &source) : region(source) {}

  bool init() {
    std::optional<Epilogue> resolved = Epilogue::create(region, constants);
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    bool allLookups =
        !region.steps.empty() && llvm::all_of(region.steps, [](Operation *op) {
          return isa<qd::LookupOp>(op);
        });
    family = region.steps.empty() ? "copy"
             : allLookups         ? "lookup"
                                  : "elementwise";
    inner = epilogue.sizes.back();
    rows = 1;
    for (int64_t size : ArrayRef(epilogue.sizes).drop_back())
      rows *= size;
    numTasks = std::clamp<int64_t>(inner * rows / kTaskElements, 1, kMaxTasks);
    if (numTasks > 1)
      numTasks += numTasks % 2;
    // One long row is cut inside, many rows between.
    cutsRow = rows < numTasks;
    if (cutsRow && rows > 1)
      numTasks = std::max<int64_t>(1, rows);
    cutsRow &= rows == 1;
    numTasks = cutsRow ? numTasks : std::min(numTasks, rows);
    keyText = family + epilogue.key();
    return inner > 0 && rows > 0;
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override {
    OpBuilder::InsertionGuard guard(moduleBuilder);
    Emitter e(region.dispatch.getLoc(), moduleBuilder, target);
    LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                            /*internal=*/false);
    PayloadEmitter payload(e, epilogue, func.getArgument(0));
    payload.begin();
    Value begin = func.getArgument(1), end = func.getArgument(2);
    auto cut = [&](Value task, int64_t total) {
      return e.div(e.mul(task, total), numTasks);
    };
    if (isInterleave()) {
      emitInterleave(e, payload, begin, end, func.getArgument(0));
    } else if (cutsRow) {
      // Cuts fall on whole vectors, so that only the last piece has a tail.
      int64_t blocks = (inner + kBlock - 1) / kBlock;
      Value from = e.mul(cut(begin, blocks), kBlock);
      Value to = e.min(e.mul(cut(end, blocks), kBlock), e.index(inner));
      Position row = Position::at(e, epilogue, e.index(0), from);
      emitRow(e, payload, row, from, to);
    } else {
      e.loop(cut(begin, rows), cut(end, rows), 1,
             [&](Value row) { emitWholeRow(e, payload, row); });
    }
    e.ret();
    return success();
  }

private:
  /// Planes woven into pixels (NCHW to NHWC of a few channels): rows are short,
  /// so vectors go across them.
  bool isInterleave() const {
    if (!epilogue.isPassThrough() || epilogue.sizes.size() != 2)
      return false;
    const Epilogue::Operand &from = epilogue.passThrough();
    int64_t bytes = elementBytes(region.resultType().getElementType());
    return from.kind == Epilogue::Operand::Memory &&
           from.form.coefficients[0] == 1 && from.form.coefficients[1] != 1 &&
           inner >= 2 && inner <= 8 && rows >= Emitter::kLanes &&
           (bytes == 1 || bytes == 4);
  }

  void emitInterleave(Emitter &e, PayloadEmitter &payload, Value begin,
                      Value end, Value args) {
    constexpr int64_t step = Emitter::kLanes;
    const Epilogue::Operand &from = epilogue.passThrough();
    int64_t bytes = elementBytes(region.resultType().getElementType());
    // Bits are moved, whatever they mean.
    Type element = e.getIntegerType(8 * bytes);
    Value source = passThroughStart(e, epilogue, args);
    Value output = e.argument(args, region.numInputs());
    int64_t units = (rows + step - 1) / step;
    auto cut = [&](Value task) {
      return e.min(e.mul(e.div(e.mul(task, units), numTasks), step),
                   e.index(rows));
    };
    Value first = cut(begin), last = cut(end);
    Value whole = e.add(first, e.mul(e.div(e.sub(last, first), step), step));
    e.loop(first, whole, step, [&](Value row) {
      SmallVector<Value> planes;
      Value place = e.at(source, e.mul(row, bytes));
      for (int64_t plane = 0; plane < inner; ++plane)
        planes.push_back(
            e.load(Emitter::vector(element),
                   e.at(place, plane * from.form.coefficients[1] * bytes)));
      while (planes.size() & (planes.size() - 1))
        planes.push_back(planes.front());
      while (planes.size() > 1) {
        SmallVector<Value> pairs;
        for (size_t i = 0; i < planes.size(); i += 2)
          pairs.push_back(e.concat(planes[i], planes[i + 1]));
        planes = std::move(pairs);
      }
      SmallVector<int64_t> order;
      for (int64_t pixel = 0; pixel < step; ++pixel)
        for (int64_t plane = 0; plane < inner; ++plane)
          order.push_back(plane * step + pixel);
      e.store(vector::ShuffleOp::create(e, planes[0], planes[0], order),
              e.at(output, e.mul(row, inner * bytes)));
    });
    e.loop(whole, last, 1, [&](Value row) { emitWholeRow(e, payload, row); });
  }

  void emitWholeRow(Emitter &e, PayloadEmitter &payload, Value row) {
    emitRow(e, payload, Position::at(e, epilogue, row, e.index(0)), e.index(0),
            e.index(inner));
  }

  static constexpr int64_t kBlock = 4 * Emitter::kLanes;

  void emitRow(Emitter &e, PayloadEmitter &payload, const Position &row,
               Value from, Value to) {
    auto at = [&](Value lane) {
      Position position = row;
      position.counters.back() = lane;
      return position;
    };
    auto emit = [&](Position position, int64_t numParts) {
      SmallVector<Lanes> parts;
      for (int64_t part = 0; part < numParts; ++part) {
        Position here = position;
        here.laneOffset = part * Emitter::kLanes;
        parts.push_back(payload.evaluate(here, std::nullopt));
      }
      payload.store(parts, position);
    };
    auto wholeEnd = [&](Value start, int64_t step) {
      Value length = e.sub(to, start);
      return e.add(start, e.mul(e.div(length, step), step));
    };
    Value next = from;
    if (inner >= kBlock) {
      Value end = wholeEnd(next, kBlock);
      e.loop(next, end, kBlock, [&](Value lane) { emit(at(lane), 4); });
      next = end;
    }
    if (inner >= Emitter::kLanes && inner % kBlock != 0) {
      Value end = wholeEnd(next, Emitter::kLanes);
      e.loop(next, end, Emitter::kLanes,
             [&](Value lane) { emit(at(lane), 1); });
      next = end;
    }
    if (inner % Emitter::kLanes != 0) {
      e.ifThen(e.less(next, to), [&] {
        Position position = at(next);
        position.mask = e.prefixMask(inner % Emitter::kLanes);
        emit(position, 1);
      });
    }
  }

  KernelRegion region;
  Epilogue epilogue;
  int64_t rows = 1, inner = 1;
  bool cutsRow = false;
};

} // namespace

PlanPtr planElementwise(const KernelRegion &region) {
  if (region.root)
    return nullptr;
  auto plan = std::make_unique<ElementwisePlan>(region);
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
