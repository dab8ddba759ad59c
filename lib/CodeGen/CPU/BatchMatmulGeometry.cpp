// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads a product of two activations off the roles of its loops. Loops of a
// role that all operands walk as one are joined; what is left over of rows and
// columns counts as further problems.

#include "BatchMatmul.h"

#include "QDialect/Analysis/ContractionStructure.h"
#include "Window.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {

using Loop = BatchMatmulGeometry::Loop;

int64_t BatchMatmulGeometry::numProblems() const {
  int64_t count = 1;
  for (const Loop &loop : problems)
    count = multiplySizes(count, loop.size, shapes);
  return count;
}

int64_t BatchMatmulGeometry::most(int64_t size) const {
  return shapes ? shapes->sizes.bounds(size).high : size;
}

int64_t BatchMatmulGeometry::ceilDiv(int64_t size, int64_t by) const {
  return shapes ? shapes->sizes.ceilDiv(size, by) : (size + by - 1) / by;
}

std::optional<Interval> BatchMatmulGeometry::sumRange() const {
  auto reach = [](int64_t zeroPoint) {
    return static_cast<double>(
        std::max(std::abs(-128 - zeroPoint), std::abs(127 - zeroPoint)));
  };
  double bound = std::abs(init) + static_cast<double>(most(depth.size)) *
                                      reach(lhsZeroPoint) * reach(rhsZeroPoint);
  if (bound >= 2147483648.0)
    return std::nullopt;
  return Interval{-bound, bound};
}

namespace {

/// Neighbours, outermost first, that every operand walks as one loop. Symbolic
/// strides have no order: there the dimensions' counts.
SmallVector<Loop> join(SmallVector<Loop> loops, int64_t Loop::*stride,
                       SymbolicShapes *shapes) {
  llvm::sort(loops, [&](const Loop &a, const Loop &b) {
    return shapes ? a.order < b.order : a.*stride > b.*stride;
  });
  SmallVector<Loop> joined;
  for (const Loop &loop : loops) {
    if (!joined.empty()) {
      Loop &outer = joined.back();
      auto stepsOver = [&](int64_t Loop::*member) {
        return outer.*member == multiplySizes(loop.*member, loop.size, shapes);
      };
      if (stepsOver(&Loop::lhs) && stepsOver(&Loop::rhs) &&
          stepsOver(&Loop::out)) {
        int64_t size = multiplySizes(outer.size, loop.size, shapes);
        outer = loop;
        outer.size = size;
        continue;
      }
    }
    joined.push_back(loop);
  }
  return joined;
}

struct Reader {
  linalg::LinalgOp op;
  ContractionStructure s;
  BatchMatmulGeometry g;
  LinearForm lhs, rhs, out;

  bool read() {
    return readSizes() && readTypes() && readAddresses() && readLoops();
  }

private:
  bool readTypes();
  bool readAddresses();
  bool readLoops();
  bool readSizes();
  bool readOutputRows(Loop &loop) const;
  bool address(unsigned operand, AffineMap map, LinearForm &form,
               BatchMatmulGeometry::Operand &place);
  SmallVector<Loop> loops(ArrayRef<unsigned> numbers) const;
};

/// The scalar that the payload subtracts from the codes of an operand.
Value subtractedFrom(linalg::LinalgOp op, unsigned operand) {
  BlockArgument code = op.getMatchingBlockArgument(&op->getOpOperand(operand));
  for (Operation *extension : code.getUsers())
    for (Operation *user : extension->getUsers())
      if (auto difference = dyn_cast<arith::SubIOp>(user))
        return difference.getRhs();
  return {};
}

/// Sizes that are not static are those of the operands that have the loop.
bool Reader::readSizes() {
  for (unsigned loop = 0; loop < s.loopSizes.size(); ++loop) {
    if (ShapedType::isStatic(s.loopSizes[loop]))
      continue;
    auto sizeIn = [&](Value tensor, std::optional<unsigned> dim) {
      std::optional<SmallVector<int64_t>> shape =
          dim ? knownShape(tensor, g.shapes) : std::nullopt;
      if (shape)
        s.loopSizes[loop] = (*shape)[*dim];
    };
    sizeIn(op->getOperand(s.activationOperand), s.activationDim(loop));
    if (ShapedType::isDynamic(s.loopSizes[loop]))
      sizeIn(op->getOperand(s.weightOperand), s.weightDim(loop));
    if (ShapedType::isDynamic(s.loopSizes[loop]))
      return false;
  }
  return true;
}

bool Reader::readTypes() {
  Type a = getElementTypeOrSelf(op->getOperand(s.activationOperand));
  Type b = getElementTypeOrSelf(op->getOperand(s.weightOperand));
  Type c = getElementTypeOrSelf(op->getResult(0));
  g.isFloat = a.isF32() && b.isF32() && c.isF32();
  bool isCodes = a.isInteger(8) && b.isInteger(8) && c.isInteger(32);
  if (!g.isFloat && !isCodes)
    return false;
  g.lhsZeroPoint = s.activationZeroPoint;
  g.rhsZeroPoint = s.weightZeroPoint;
  g.lhsZero = subtractedFrom(op, s.activationOperand);
  g.rhsZero = subtractedFrom(op, s.weightOperand);
  std::optional<InitValues> init = InitValues::read(op.getDpsInits()[0]);
  if (!init || !init->isUniform())
    return false;
  g.init = init->view.number(init->form.offset);
  return true;
}

bool Reader::address(unsigned operand, AffineMap map, LinearForm &form,
                     BatchMatmulGeometry::Operand &place) {
  auto indices = linearResults(map);
  if (!indices)
    return false;
  std::optional<Access> access = resolveAccess(
      op->getOperand(operand), op.getNumLoops(), *indices, g.shapes);
  auto argument =
      access ? dyn_cast<BlockArgument>(access->base) : BlockArgument();
  if (!argument || SymbolicSizes::isSymbolic(access->form.offset))
    return false;
  place = {argument.getArgNumber(), access->form.offset};
  form = std::move(access->form);
  return true;
}

bool Reader::readAddresses() {
  if (!address(s.activationOperand, s.activationMap, lhs, g.lhs) ||
      !address(s.weightOperand, s.weightMap, rhs, g.rhs))
    return false;
  std::optional<SmallVector<int64_t>> shape =
      knownShape(op->getResult(0), g.shapes);
  if (!shape)
    return false;
  SmallVector<int64_t> strides = rowMajorStrides(*shape, g.shapes);
  out = LinearForm(op.getNumLoops());
  for (auto [dim, expr] : llvm::enumerate(s.outputMap.getResults()))
    out.coefficients[cast<AffineDimExpr>(expr).getPosition()] = strides[dim];
  return true;
}

SmallVector<Loop> Reader::loops(ArrayRef<unsigned> numbers) const {
  SmallVector<Loop> result;
  for (unsigned loop : numbers)
    if (s.loopSizes[loop] != 1)
      result.push_back(
          {s.loopSizes[loop], lhs.coefficients[loop], rhs.coefficients[loop],
           out.coefficients[loop],
           s.outputDim(loop).value_or(s.activationDim(loop).value_or(0))});
  return result;
}

bool Reader::readOutputRows(Loop &loop) const {
  if (!g.shapes) {
    loop.outRow = loop.out / g.columns.size;
    return true;
  }
  std::optional<int64_t> rows =
      g.shapes->sizes.divide(loop.out, g.columns.size);
  loop.outRow = rows.value_or(0);
  return rows.has_value();
}

bool Reader::readLoops() {
  g.problems = loops(s.depth);
  auto takeInnermost = [&](ArrayRef<unsigned> numbers, Loop &inner) {
    SmallVector<Loop> joined = join(loops(numbers), &Loop::out, g.shapes);
    if (!joined.empty())
      inner = joined.pop_back_val();
    llvm::append_range(g.problems, joined);
  };
  takeInnermost(s.batch, g.rows);
  takeInnermost(s.outputChannel, g.columns);
  g.problems = join(g.problems, &Loop::out, g.shapes);
  SmallVector<Loop> depth = join(loops(s.inputChannel), &Loop::lhs, g.shapes);
  if (depth.size() > 1)
    return false;
  if (!depth.empty())
    g.depth = depth[0];
  else
    g.depth.lhs = 1;
  bool hasRows = readOutputRows(g.rows);
  for (Loop &loop : g.problems)
    hasRows &= readOutputRows(loop);
  // Symbols are no sizes of nothing.
  auto exists = [](int64_t size) {
    return SymbolicSizes::isSymbolic(size) || size > 0;
  };
  // Columns lie side by side in the output, products in the left side.
  return hasRows && (g.columns.size == 1 || g.columns.out == 1) &&
         g.depth.lhs == 1 && exists(g.depth.size) && exists(g.rows.size) &&
         exists(g.columns.size) && exists(g.numProblems()) &&
         g.most(g.numSteps()) <= 4096;
}

} // namespace

std::optional<BatchMatmulGeometry>
BatchMatmulGeometry::create(const KernelRegion &region) {
  auto op = dyn_cast_or_null<linalg::LinalgOp>(region.root);
  if (!op)
    return std::nullopt;
  std::optional<ContractionStructure> structure = getContractionStructure(op);
  if (!structure || structure->isConvolution() || structure->weightIsConstant)
    return std::nullopt;
  Reader reader{op, std::move(*structure), {}, {}, {}, {}};
  reader.g.shapes = region.shapes.get();
  if (!reader.read())
    return std::nullopt;
  return std::move(reader.g);
}

} // namespace qdialect::cpu
