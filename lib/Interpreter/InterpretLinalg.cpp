// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Any linalg op by its region, indexing maps and iterators. The meaning is the
// loop nest in row-major order; how it is run depends on its reductions:
//   none                          chunks of the iteration space
//   out = combine(out, f(ins))    f in chunks, then the combination element by
//                                 element in loop order
//   anything else                 chunks of the parallel loops, once for each
//                                 point of the reduction loops

#include "Structured.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <limits>

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

//===----------------------------------------------------------------------===//
// Loops and addresses
//===----------------------------------------------------------------------===//

static int64_t product(ArrayRef<int64_t> sizes) {
  return numElements({sizes.begin(), sizes.end()}).value_or(0);
}

/// Adds `factor * expr` to (strides, base); false if expr is not linear.
static bool addLinear(AffineExpr expr, int64_t factor,
                      MutableArrayRef<int64_t> strides, int64_t &base) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    base += factor * constant.getValue();
    return true;
  }
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    strides[dim.getPosition()] += factor;
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (expr.getKind() == AffineExprKind::Add)
    return addLinear(binary.getLHS(), factor, strides, base) &&
           addLinear(binary.getRHS(), factor, strides, base);
  if (expr.getKind() != AffineExprKind::Mul)
    return false;
  auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
  return constant && addLinear(binary.getLHS(), factor * constant.getValue(),
                               strides, base);
}

/// The size of each loop, from the operands whose map names it alone.
static llvm::Error countLoops(Structured &s) {
  SmallVector<AffineMap> maps = s.op.getIndexingMapsArray();
  s.sizes.assign(s.op.getNumLoops(), -1);
  for (auto [map, operand] : llvm::zip_equal(maps, s.operands)) {
    if (map.getNumResults() != operand.shape().size() || map.getNumSymbols())
      return opError(s.op, "has a map that does not fit its operand");
    for (auto [expr, size] : llvm::zip_equal(map.getResults(), operand.shape()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
        int64_t &known = s.sizes[dim.getPosition()];
        if (known >= 0 && known != size)
          return opError(s.op, "has operands that differ in loop " +
                                   Twine(dim.getPosition()));
        known = size;
      }
  }
  for (auto [loop, size] : llvm::enumerate(s.sizes))
    if (size < 0)
      return opError(s.op, "has no operand that gives the size of loop " +
                               Twine(loop));
  return llvm::Error::success();
}

/// The address of one operand, and proof that no point of the nest leaves it.
static llvm::Error addressOperand(Structured &s, AffineMap map,
                                  const HostTensor &operand) {
  Structured::Address address;
  address.map = map;
  address.linear = true;
  address.strides.assign(s.sizes.size(), 0);
  bool empty = llvm::is_contained(s.sizes, 0);
  SmallVector<int64_t> unit = rowMajorStrides(operand.shape());
  for (auto [d, expr] : llvm::enumerate(map.getResults())) {
    SmallVector<int64_t> strides(s.sizes.size(), 0);
    int64_t base = 0;
    if (!addLinear(expr, 1, strides, base)) {
      address.linear = false;
      // Bounds of mod and floordiv are checked by walking this dimension.
      Cursor walk = Cursor::mapped(
          s.sizes, AffineMap::get(map.getNumDims(), 0, expr), {1});
      int64_t count = product(s.sizes);
      int64_t low = 0, high = -1;
      walk.runs(count, [&](int64_t, int64_t at, int64_t, int64_t) {
        low = std::min(low, at);
        high = std::max(high, at);
      });
      bool inside = low >= 0 && high < operand.shape()[d];
      if (!inside)
        return opError(s.op, "reaches outside of an operand");
      continue;
    }
    int64_t low = base, high = base;
    for (auto [stride, size] : llvm::zip_equal(strides, s.sizes))
      (stride < 0 ? low : high) += stride * (size - 1);
    if (!empty && (low < 0 || high >= operand.shape()[d]))
      return opError(s.op, "reaches index " + Twine(low < 0 ? low : high) +
                               " of dimension " + Twine(d) + " of size " +
                               Twine(operand.shape()[d]));
    address.base += base * unit[d];
    for (size_t loop = 0; loop < strides.size(); ++loop)
      address.strides[loop] += strides[loop] * unit[d];
  }
  s.addresses.push_back(std::move(address));
  return llvm::Error::success();
}

llvm::Expected<Structured> Structured::create(linalg::LinalgOp op,
                                              ArrayRef<HostTensor> operands,
                                              const Context &context) {
  Structured s;
  s.op = op;
  s.operands = operands;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (maps.size() != operands.size())
    return opError(op, "has operands without a map");
  if (llvm::Error error = countLoops(s))
    return std::move(error);
  for (utils::IteratorType iterator : op.getIteratorTypesArray())
    s.reduces.push_back(iterator != utils::IteratorType::parallel);
  for (auto [map, operand, value] :
       llvm::zip_equal(maps, operands, op->getOperands())) {
    if (llvm::Error error = addressOperand(s, map, operand))
      return std::move(error);
    auto element = context.element(op, value.getType());
    if (!element)
      return element.takeError();
    s.elements.push_back(*element);
  }
  return s;
}

Cursor Structured::cursor(size_t operand) const {
  const Address &address = addresses[operand];
  if (address.linear)
    return Cursor::strided(sizes, address.strides, address.base);
  return Cursor::mapped(sizes, address.map, operands[operand].shape());
}

//===----------------------------------------------------------------------===//
// No reduction
//===----------------------------------------------------------------------===//

/// One cursor a linalg.index op: the index itself.
static std::vector<Cursor> indexCursors(const Payload &payload,
                                        ArrayRef<int64_t> sizes) {
  std::vector<Cursor> cursors;
  for (const Payload::Index &index : payload.indices()) {
    SmallVector<int64_t> strides(sizes.size(), 0);
    strides[index.dim] = 1;
    cursors.push_back(Cursor::strided(sizes, strides));
  }
  return cursors;
}

static llvm::Expected<Tensors> runParallel(const Structured &s,
                                           const Context &context) {
  Block &block = *s.op.getBlock();
  auto payload = Payload::compile(block, context);
  if (!payload)
    return payload.takeError();
  Operation *yield = block.getTerminator();
  std::vector<Cursor> in, out;
  SmallVector<char *> memory;
  Tensors results(s.operands.drop_front(s.numInputs()));
  for (size_t i = 0; i < s.operands.size(); ++i)
    in.push_back(s.cursor(i));
  for (size_t k = 0; k < s.numInits(); ++k) {
    out.push_back(s.cursor(s.numInputs() + k));
    memory.push_back(results[k].mutableBytes());
  }
  std::vector<Cursor> indices = indexCursors(*payload, s.sizes);
  int64_t count = product(s.sizes);
  for (int64_t first = 0; first < count; first += kChunk) {
    int64_t n = std::min(kChunk, count - first);
    for (size_t i = 0; i < s.operands.size(); ++i) {
      BlockArgument argument = block.getArgument(i);
      // An init is read from its own tensor: no point reads another's result.
      if (!argument.use_empty())
        in[i].load(s.operands[i].bytes(), s.elements[i],
                   payload->column(argument), n);
    }
    for (auto [cursor, index] : llvm::zip_equal(indices, payload->indices()))
      cursor.offsets(*index.column, n);
    if (llvm::Error error = payload->run(n, uint64_t(first)))
      return std::move(error);
    for (size_t k = 0; k < s.numInits(); ++k)
      out[k].store(memory[k], s.elements[s.numInputs() + k],
                   payload->column(yield->getOperand(k)), n);
  }
  return results;
}

//===----------------------------------------------------------------------===//
// out = combine(out, f(ins))
//===----------------------------------------------------------------------===//

namespace {
enum class Combine : uint8_t { Add, Mul, Max, Min };
/// The op that combines, and the value combined into the init.
struct Combiner {
  Operation *op = nullptr;
  Combine kind = Combine::Add;
  Value value;
};
} // namespace

static std::optional<Combine> combineKind(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::optional<Combine>>(op)
      .Case<arith::AddFOp, arith::AddIOp>([](auto) { return Combine::Add; })
      .Case<arith::MulFOp, arith::MulIOp>([](auto) { return Combine::Mul; })
      .Case<arith::MaximumFOp, arith::MaxSIOp>(
          [](auto) { return Combine::Max; })
      .Case<arith::MinimumFOp, arith::MinSIOp>(
          [](auto) { return Combine::Min; })
      .Default([](Operation *) { return std::nullopt; });
}

/// The combiner of the only result, if the payload has that form and the
/// accumulation needs no rounding or wrapping within a column's element.
static std::optional<Combiner> findCombiner(const Structured &s) {
  if (s.numInits() != 1)
    return std::nullopt;
  const Element &element = s.elements[s.numInputs()];
  bool plain = element.kind == Kind::I64
                   ? element.bits == 8 * byteWidth(element.memory)
                   : element.rounding == DType::F32;
  Block &block = *s.op.getBlock();
  BlockArgument init = block.getArgument(s.numInputs());
  Operation *op = block.getTerminator()->getOperand(0).getDefiningOp();
  if (!plain || !op || op->getBlock() != &block || !init.hasOneUse() ||
      *init.user_begin() != op || !op->getResult(0).hasOneUse())
    return std::nullopt;
  std::optional<Combine> kind = combineKind(op);
  if (!kind)
    return std::nullopt;
  Value value = op->getOperand(op->getOperand(0) == init ? 1 : 0);
  return Combiner{op, *kind, value};
}

template <typename T>
static T combine(Combine kind, T a, T b) {
  switch (kind) {
  case Combine::Add:
    if constexpr (std::is_same_v<T, int64_t>)
      return int64_t(uint64_t(a) + uint64_t(b));
    else
      return a + b;
  case Combine::Mul:
    if constexpr (std::is_same_v<T, int64_t>)
      return int64_t(uint64_t(a) * uint64_t(b));
    else
      return a * b;
  case Combine::Max:
    if constexpr (std::is_floating_point_v<T>)
      return a > b || a != a || (a == b && !std::signbit(a)) ? a : b;
    else
      return std::max(a, b);
  case Combine::Min:
    if constexpr (std::is_floating_point_v<T>)
      return a < b || a != a || (a == b && std::signbit(a)) ? a : b;
    else
      return std::min(a, b);
  }
  return a;
}

template <typename T>
static void combineInto(Combine kind, T *out, const T *values, int64_t n,
                        Cursor &cursor) {
  // The switch is outside of the loops: each kind is its own loop.
  auto run = [&](auto constant) {
    constexpr Combine k = decltype(constant)::value;
    cursor.runs(n, [&](int64_t at, int64_t to, int64_t stride, int64_t count) {
      if (stride != 0) {
        for (int64_t i = 0; i < count; ++i)
          out[to + i * stride] =
              combine(k, out[to + i * stride], values[at + i]);
        return;
      }
      T sum = out[to];
      for (int64_t i = 0; i < count; ++i)
        sum = combine(k, sum, values[at + i]);
      out[to] = sum;
    });
  };
  switch (kind) {
  case Combine::Add:
    return run(std::integral_constant<Combine, Combine::Add>());
  case Combine::Mul:
    return run(std::integral_constant<Combine, Combine::Mul>());
  case Combine::Max:
    return run(std::integral_constant<Combine, Combine::Max>());
  case Combine::Min:
    return run(std::integral_constant<Combine, Combine::Min>());
  }
}

static llvm::Expected<Tensors> runCombined(const Structured &s,
                                           const Combiner &combiner,
                                           const Context &context) {
  Block &block = *s.op.getBlock();
  auto payload = Payload::compile(block, context, combiner.op);
  if (!payload)
    return payload.takeError();
  std::vector<Cursor> in;
  for (size_t i = 0; i < s.numInputs(); ++i)
    in.push_back(s.cursor(i));
  std::vector<Cursor> indices = indexCursors(*payload, s.sizes);
  Cursor out = s.cursor(s.numInputs());
  const Element &element = s.elements[s.numInputs()];
  // Integers accumulate in 64 bits and are wrapped by the conversion back,
  // which modular arithmetic allows.
  HostTensor sum = element.kind == Kind::I64
                       ? s.operands[s.numInputs()].converted(DType::I64)
                       : s.operands[s.numInputs()];
  char *memory = sum.mutableBytes();
  Column &values = payload->column(combiner.value);
  int64_t count = product(s.sizes);
  for (int64_t first = 0; first < count; first += kChunk) {
    int64_t n = std::min(kChunk, count - first);
    for (size_t i = 0; i < s.numInputs(); ++i)
      if (!block.getArgument(i).use_empty())
        in[i].load(s.operands[i].bytes(), s.elements[i],
                   payload->column(block.getArgument(i)), n);
    for (auto [cursor, index] : llvm::zip_equal(indices, payload->indices()))
      cursor.offsets(*index.column, n);
    if (llvm::Error error = payload->run(n, uint64_t(first)))
      return std::move(error);
    withKind(values.kind, [&](auto zero) {
      using T = decltype(zero);
      combineInto<T>(combiner.kind, reinterpret_cast<T *>(memory),
                     values.as<T>(), n, out);
    });
  }
  return Tensors{sum.converted(element.memory)};
}

//===----------------------------------------------------------------------===//
// The general reduction
//===----------------------------------------------------------------------===//

/// The loops with the wanted role, as sizes and one operand's strides.
static SmallVector<int64_t> selectLoops(const Structured &s, bool reduction,
                                        ArrayRef<int64_t> values) {
  SmallVector<int64_t> selected;
  for (size_t loop = 0; loop < values.size(); ++loop)
    if (s.reduces[loop] == reduction)
      selected.push_back(values[loop]);
  return selected;
}

static llvm::Expected<Tensors> runReduction(const Structured &s,
                                            const Context &context) {
  Block &block = *s.op.getBlock();
  auto payload = Payload::compile(block, context);
  if (!payload)
    return payload.takeError();
  for (const Structured::Address &address : s.addresses)
    if (!address.linear)
      return opError(s.op, "has a map with mod or floordiv in a reduction of "
                           "this form");
  Operation *yield = block.getTerminator();
  Tensors results(s.operands.drop_front(s.numInputs()));
  SmallVector<char *> memory;
  for (HostTensor &result : results)
    memory.push_back(result.mutableBytes());

  SmallVector<int64_t> parallel = selectLoops(s, false, s.sizes);
  SmallVector<int64_t> reduced = selectLoops(s, true, s.sizes);
  int64_t points = product(parallel), steps = product(reduced);
  // The offset of each operand at each reduction step, added to its base.
  std::vector<Cursor> stepCursors, pointCursors;
  for (const Structured::Address &address : s.addresses) {
    stepCursors.push_back(
        Cursor::strided(reduced, selectLoops(s, true, address.strides)));
    pointCursors.push_back(
        Cursor::strided(parallel, selectLoops(s, false, address.strides)));
  }
  // An index is an address with the stride 1 along its loop.
  std::vector<Cursor> stepIndices, pointIndices;
  for (const Payload::Index &index : payload->indices()) {
    SmallVector<int64_t> strides(s.sizes.size(), 0);
    strides[index.dim] = 1;
    stepIndices.push_back(
        Cursor::strided(reduced, selectLoops(s, true, strides)));
    pointIndices.push_back(
        Cursor::strided(parallel, selectLoops(s, false, strides)));
  }
  Column offset(Kind::I64);
  for (int64_t step = 0; step < steps; ++step) {
    for (auto [at, along] : llvm::zip_equal(stepIndices, pointIndices)) {
      at.offsets(offset, 1);
      along.reset(offset.i64()[0]);
    }
    for (size_t i = 0; i < s.operands.size(); ++i) {
      stepCursors[i].offsets(offset, 1);
      pointCursors[i].reset(s.addresses[i].base + offset.i64()[0]);
    }
    for (int64_t first = 0; first < points; first += kChunk) {
      int64_t n = std::min(kChunk, points - first);
      for (size_t i = 0; i < s.operands.size(); ++i) {
        bool isInit = i >= s.numInputs();
        // A copy of the init's cursor reads what the original then writes.
        Cursor reader = pointCursors[i];
        (isInit ? reader : pointCursors[i])
            .load(isInit ? memory[i - s.numInputs()] : s.operands[i].bytes(),
                  s.elements[i], payload->column(block.getArgument(i)), n);
      }
      for (auto [cursor, index] :
           llvm::zip_equal(pointIndices, payload->indices()))
        cursor.offsets(*index.column, n);
      if (llvm::Error error =
              payload->run(n, uint64_t(step) * points + uint64_t(first)))
        return std::move(error);
      for (size_t k = 0; k < s.numInits(); ++k)
        pointCursors[s.numInputs() + k].store(
            memory[k], s.elements[s.numInputs() + k],
            payload->column(yield->getOperand(k)), n);
    }
  }
  return results;
}

llvm::Expected<Tensors>
interp::interpretStructured(Operation *op, ArrayRef<HostTensor> operands,
                            const Context &context) {
  auto linalgOp = cast<linalg::LinalgOp>(op);
  if (!linalgOp.hasPureTensorSemantics())
    return opError(op, "works on buffers; the interpreter runs tensors");
  auto structured = Structured::create(linalgOp, operands, context);
  if (!structured)
    return structured.takeError();
  if (!structured->hasReduction())
    return runParallel(*structured, context);
  if (context.options.fastContractions)
    if (std::optional<HostTensor> result = runContraction(*structured))
      return Tensors{*result};
  if (std::optional<Combiner> combiner = findCombiner(*structured))
    return runCombined(*structured, *combiner, context);
  return runReduction(*structured, context);
}
