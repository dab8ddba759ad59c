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
    count *= loop.size;
  return count;
}

namespace {

/// Neighbours, outermost first, that every operand walks as one loop.
SmallVector<Loop> join(SmallVector<Loop> loops, int64_t Loop::*order) {
  llvm::sort(loops,
             [&](const Loop &a, const Loop &b) { return a.*order > b.*order; });
  SmallVector<Loop> joined;
  for (const Loop &loop : loops) {
    if (!joined.empty()) {
      Loop &outer = joined.back();
      if (outer.lhs == loop.lhs * loop.size &&
          outer.rhs == loop.rhs * loop.size &&
          outer.out == loop.out * loop.size) {
        int64_t size = outer.size * loop.size;
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

  bool read() { return readTypes() && readAddresses() && readLoops(); }

private:
  bool readTypes();
  bool readAddresses();
  bool readLoops();
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
  std::optional<Access> access =
      resolveAccess(op->getOperand(operand), op.getNumLoops(), *indices);
  auto argument =
      access ? dyn_cast<BlockArgument>(access->base) : BlockArgument();
  if (!argument)
    return false;
  place = {argument.getArgNumber(), access->form.offset};
  form = std::move(access->form);
  return true;
}

bool Reader::readAddresses() {
  if (!address(s.activationOperand, s.activationMap, lhs, g.lhs) ||
      !address(s.weightOperand, s.weightMap, rhs, g.rhs))
    return false;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  SmallVector<int64_t> strides = rowMajorStrides(type.getShape());
  out = LinearForm(op.getNumLoops());
  for (auto [dim, expr] : llvm::enumerate(s.outputMap.getResults()))
    out.coefficients[cast<AffineDimExpr>(expr).getPosition()] = strides[dim];
  return true;
}

SmallVector<Loop> Reader::loops(ArrayRef<unsigned> numbers) const {
  SmallVector<Loop> result;
  for (unsigned loop : numbers)
    if (s.loopSizes[loop] != 1)
      result.push_back({s.loopSizes[loop], lhs.coefficients[loop],
                        rhs.coefficients[loop], out.coefficients[loop]});
  return result;
}

bool Reader::readLoops() {
  g.problems = loops(s.depth);
  auto takeInnermost = [&](ArrayRef<unsigned> numbers, Loop &inner) {
    SmallVector<Loop> joined = join(loops(numbers), &Loop::out);
    if (!joined.empty())
      inner = joined.pop_back_val();
    llvm::append_range(g.problems, joined);
  };
  takeInnermost(s.batch, g.rows);
  takeInnermost(s.outputChannel, g.columns);
  g.problems = join(g.problems, &Loop::out);
  SmallVector<Loop> depth = join(loops(s.inputChannel), &Loop::lhs);
  if (depth.size() > 1)
    return false;
  if (!depth.empty())
    g.depth = depth[0];
  else
    g.depth.lhs = 1;
  // Columns lie side by side in the output, products in the left side.
  return (g.columns.size == 1 || g.columns.out == 1) && g.depth.lhs == 1 &&
         g.depth.size > 0 && g.rows.size > 0 && g.columns.size > 0 &&
         g.numProblems() > 0 && g.numSteps() <= 4096;
}

} // namespace

std::optional<BatchMatmulGeometry>
BatchMatmulGeometry::create(const KernelRegion &region) {
  auto op = dyn_cast_or_null<linalg::LinalgOp>(region.root);
  if (!op)
    return std::nullopt;
  std::optional<ContractionStructure> structure = getContractionStructure(op);
  if (!structure || structure->isConvolution() || structure->weightIsConstant ||
      llvm::any_of(structure->loopSizes, ShapedType::isDynamic))
    return std::nullopt;
  Reader reader{op, std::move(*structure), {}, {}, {}, {}};
  if (!reader.read())
    return std::nullopt;
  return std::move(reader.g);
}

} // namespace qdialect::cpu
