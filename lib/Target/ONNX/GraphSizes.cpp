// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Symbolic sizes in the program: every one is index arithmetic over tensor.dim
// of the function's arguments, made once, at the head of the function; or over
// the sizes that depend on data too, and then behind these.

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect::onnx_import {

RankedTensorType GraphBuilder::typeOf(ArrayRef<int64_t> shape,
                                      Type elementType) {
  Shape dims(shape);
  for (int64_t &size : dims)
    if (SymbolicSizes::isSymbolic(size))
      size = ShapedType::kDynamic;
  return RankedTensorType::get(dims, elementType);
}

Tensor GraphBuilder::tensor(Value value, ArrayRef<int64_t> shape) {
  Tensor result(value);
  if (SymbolicSizes::anySymbolic(shape)) {
    result.sizes = Shape(shape);
    shapes[value] = result.sizes;
  }
  return result;
}

std::optional<Shape> GraphBuilder::shapeOf(Value value) const {
  while (true) {
    auto known = shapes.find(value);
    if (known != shapes.end())
      return known->second;
    Operation *op = value.getDefiningOp();
    if (!op || op->getNumOperands() == 0)
      return std::nullopt;
    if (auto styled = dyn_cast<DestinationStyleOpInterface>(op)) {
      value = styled.getTiedOpOperand(mlir::cast<OpResult>(value))->get();
      continue;
    }
    // Every other op that handlers make without saying a shape keeps it.
    auto input = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    if (!input || input.getShape() !=
                      mlir::cast<RankedTensorType>(value.getType()).getShape())
      return std::nullopt;
    value = op->getOperand(0);
  }
}

Tensor GraphBuilder::tensor(Value value) {
  Tensor result(value);
  if (!result.type.hasStaticShape())
    if (std::optional<Shape> shape = shapeOf(value))
      result.sizes = *shape;
  return result;
}

/// Is `inner` the region `outer` or inside of it? A body that is still being
/// made belongs to no operation.
static bool isInside(Region *inner, const Region &outer) {
  while (inner && inner != &outer) {
    Operation *around = inner->getParentOp();
    inner = around ? around->getParentRegion() : nullptr;
  }
  return inner;
}

void GraphBuilder::forget(Region &region) {
  for (auto it = sizeValues.begin(); it != sizeValues.end();)
    it = isInside(it->second.getParentRegion(), region) ? sizeValues.erase(it)
                                                        : std::next(it);
  region.walk([&](Block *block) {
    for (Value argument : block->getArguments())
      shapes.erase(argument);
    for (Operation &op : *block)
      for (Value result : op.getResults()) {
        shapes.erase(result);
        castSizes.erase(result);
        constantValues.erase(result);
      }
  });
}

void GraphBuilder::bindSymbol(Value argument, int64_t axis, int64_t size) {
  symbolPlaces.try_emplace(size, argument, axis);
}

int64_t GraphBuilder::dataSize(const Tensor &count, StringRef name,
                               int64_t limit) {
  assert(canDependOnData() && "the program runs this step by step");
  Value most;
  if (limit != SymbolicSizes::kUnbounded)
    most = index(limit);
  int64_t size = sizes.computedSymbol(name, limit);
  dataSizeBlocks[sizes.symbolsOf(size).front()] = builder.getInsertionBlock();
  sizeValues[size] = qd::DataSizeOp::create(
      builder, loc, value(count),
      sizes.symbols()[sizes.symbolsOf(size).front()].name, most);
  return size;
}

void GraphBuilder::requireCount(const Tensor &count, int64_t limit,
                                StringRef what) {
  Value most;
  if (limit != SymbolicSizes::kUnbounded)
    most = index(limit);
  qd::CheckCountOp::create(builder, loc, value(count), most, what);
}

int64_t GraphBuilder::sizeOnce(const std::vector<int64_t> &key,
                               function_ref<int64_t()> make) {
  auto known = madeSizes.find(key);
  if (known != madeSizes.end())
    return known->second;
  int64_t size = make();
  madeSizes[key] = size;
  return size;
}

void GraphBuilder::requireEqual(int64_t size, int64_t expected,
                                StringRef what) {
  assert(canDependOnData() && "the program runs this step by step");
  if (size != expected)
    qd::CheckSizeOp::create(builder, loc, index(size), index(expected), what);
}

Tensor GraphBuilder::scalarAt(const Tensor &tensor, int64_t place) {
  Tensor &known = scalars[{tensor.value.getAsOpaquePointer(), place}];
  if (!known.value) {
    Tensor flat = reshape(tensor, {count(tensor)});
    Tensor element = reshape(sliceAxis(flat, 0, place, 1), {});
    known = cast(element, builder.getI64Type());
  }
  return known;
}

const Tensor *GraphBuilder::constantBehind(Value value) const {
  auto known = constantValues.find(value);
  return known == constantValues.end() ? nullptr : &known->second;
}

int64_t GraphBuilder::counterSize(Value counter, int64_t count) {
  int64_t size =
      sizes.computedSymbol("iteration", sizes.max(sizes.sub(count, 1), 0));
  sizeValues[size] = counter;
  counters[sizes.symbolsOf(size).front()] = mlir::cast<BlockArgument>(counter);
  return size;
}

bool GraphBuilder::dependsOnIteration(ArrayRef<int64_t> shape) const {
  return llvm::any_of(shape, [&](int64_t size) {
    return llvm::any_of(sizes.symbolsOf(size), [&](unsigned symbol) {
      return counters.count(symbol) > 0;
    });
  });
}

bool GraphBuilder::canDependOnData() const {
  Block *block = builder.getInsertionBlock();
  return block == (bodies.empty() ? entry : bodies.back().block) &&
         llvm::all_of(
             bodies, [](const OpenBody &body) { return body.mayDependOnData; });
}

bool GraphBuilder::isKnownOutside(Block *body, ArrayRef<int64_t> shape) const {
  return llvm::none_of(shape, [&](int64_t size) {
    return llvm::any_of(sizes.symbolsOf(size), [&](unsigned symbol) {
      auto stands = dataSizeBlocks.find(symbol);
      return stands != dataSizeBlocks.end() && stands->second == body;
    });
  });
}

GraphBuilder::BodyScope::BodyScope(GraphBuilder &b, Block *body,
                                   bool mayDependOnData)
    : b(b), guard(b.builder), madeSizes(b.madeSizes), scalars(b.scalars) {
  b.bodies.push_back({body, mayDependOnData});
  b.builder.setInsertionPointToEnd(body);
}

GraphBuilder::BodyScope::~BodyScope() {
  b.bodies.pop_back();
  b.madeSizes = std::move(madeSizes);
  b.scalars = std::move(scalars);
}

/// How many bodies are around a block that can be seen from here.
size_t GraphBuilder::depthOf(Block *block) const {
  if (block == entry)
    return 0;
  for (auto [number, body] : llvm::enumerate(bodies))
    if (body.block == block)
      return number + 1;
  return bodies.size() + 1; // one that is about to be imported, or just was
}

/// Where a size that depends on data is computed: behind the last operation
/// that it is computed from, in the innermost body that one of them stands in.
void GraphBuilder::setInsertionPointBehindOperands(int64_t size) {
  Block *block = entry;
  SmallVector<Value> from;
  for (int64_t operand : operandsOf(size)) {
    from.push_back(index(operand));
    if (depthOf(from.back().getParentBlock()) > depthOf(block))
      block = from.back().getParentBlock();
  }
  Operation *last = block == entry ? lastSize : nullptr;
  for (Value value : from)
    if (Operation *op = value.getDefiningOp())
      if (op->getBlock() == block && (!last || last->isBeforeInBlock(op)))
        last = op;
  if (last)
    builder.setInsertionPointAfter(last);
  else
    builder.setInsertionPointToStart(block);
}

/// The sizes that a size is computed from. That of a symbol by its step is the
/// symbol.
Shape GraphBuilder::operandsOf(int64_t size) {
  Shape from;
  for (const SymbolicSizes::Term &term : sizes.terms(size))
    for (unsigned number : term.atoms) {
      const SymbolicSizes::Atom &atom = sizes.atom(number);
      if (atom.kind != SymbolicSizes::Atom::Symbol)
        from.append({atom.lhs, atom.rhs});
      else if (int64_t stepped = sizes.sizeOf(number); stepped != size)
        from.push_back(stepped);
      else
        from.push_back(sizes.symbol(sizes.symbols()[atom.symbol].name));
    }
  return from;
}

OpFoldResult GraphBuilder::operand(int64_t size) {
  if (SymbolicSizes::isSymbolic(size))
    return index(size);
  return builder.getIndexAttr(size);
}

SmallVector<OpFoldResult> GraphBuilder::operands(ArrayRef<int64_t> numbers) {
  return llvm::map_to_vector(numbers,
                             [&](int64_t number) { return operand(number); });
}

Value GraphBuilder::index(int64_t size) {
  if (auto known = sizeValues.find(size); known != sizeValues.end())
    return known->second;
  auto place = symbolPlaces.find(size);
  bool isInput = place != symbolPlaces.end();
  // Operands first: they go before.
  if (!isInput)
    for (int64_t from : operandsOf(size))
      index(from);
  OpBuilder::InsertionGuard guard(builder);
  bool dependsOnData = sizes.isComputed(size);
  if (dependsOnData)
    setInsertionPointBehindOperands(size);
  else if (lastSize)
    builder.setInsertionPointAfter(lastSize);
  else
    builder.setInsertionPointToStart(entry);
  Location at = builder.getUnknownLoc();
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, at, value);
  };
  using Atom = SymbolicSizes::Atom;
  auto makeAtom = [&](unsigned which) -> Value {
    const Atom &atom = sizes.atom(which);
    if (atom.kind == Atom::Symbol) {
      if (int64_t stepped = sizes.sizeOf(which); stepped != size)
        return index(stepped);
      const SymbolicSizes::Symbol &symbol = sizes.symbols()[atom.symbol];
      Value whole = index(sizes.symbol(symbol.name));
      return arith::FloorDivSIOp::create(builder, at, whole,
                                         number(symbol.step));
    }
    Value lhs = index(atom.lhs), rhs = index(atom.rhs);
    switch (atom.kind) {
    case Atom::Max:
      return arith::MaxSIOp::create(builder, at, lhs, rhs);
    case Atom::Min:
      return arith::MinSIOp::create(builder, at, lhs, rhs);
    case Atom::Mul:
      return arith::MulIOp::create(builder, at, lhs, rhs);
    default:
      return arith::FloorDivSIOp::create(builder, at, lhs, rhs);
    }
  };
  Value sum;
  if (isInput)
    sum = tensor::DimOp::create(builder, at, place->second.first,
                                place->second.second);
  else if (!SymbolicSizes::isSymbolic(size))
    sum = number(size);
  for (const SymbolicSizes::Term &term :
       isInput ? ArrayRef<SymbolicSizes::Term>() : sizes.terms(size)) {
    Value product;
    for (unsigned atom : term.atoms) {
      Value factor = makeAtom(atom);
      product = product ? arith::MulIOp::create(builder, at, product, factor)
                        : factor;
    }
    if (!product)
      product = number(term.factor);
    else if (term.factor != 1)
      product =
          arith::MulIOp::create(builder, at, product, number(term.factor));
    sum = sum ? arith::AddIOp::create(builder, at, sum, product) : product;
  }
  if (!dependsOnData)
    lastSize = sum.getDefiningOp();
  return sizeValues[size] = sum;
}

std::optional<int64_t>
GraphBuilder::sizeBehindCast(const Tensor &tensor) const {
  auto known = castSizes.find(tensor.value);
  if (tensor.isConstant() || known == castSizes.end())
    return std::nullopt;
  auto type = mlir::cast<FloatType>(tensor.elementType());
  int64_t most = int64_t(1) << type.getFPMantissaWidth();
  SymbolicSizes::Bounds bounds = sizes.bounds(known->second);
  if (bounds.low < -most || bounds.high > most)
    return std::nullopt;
  return known->second;
}

std::string GraphBuilder::describe(ArrayRef<int64_t> shape) const {
  if (!SymbolicSizes::anySymbolic(shape))
    return describeShape(shape);
  std::string text;
  for (auto [axis, size] : llvm::enumerate(shape))
    text += (axis ? "x" : "") + sizes.print(size);
  return text;
}

std::string GraphBuilder::describe(const Tensor &tensor) const {
  std::string text = "tensor<";
  for (int64_t size : tensor.shape())
    text += sizes.print(size) + "x";
  llvm::raw_string_ostream os(text);
  os << tensor.elementType() << ">";
  return text;
}

Value GraphBuilder::sizeAs(OpBuilder &nested, Location at, Type type,
                           int64_t size) {
  if (!SymbolicSizes::isSymbolic(size))
    return scalar(nested, at, type, static_cast<double>(size));
  Value place = index(size);
  Type wide = nested.getI64Type();
  Value number = arith::IndexCastOp::create(nested, at,
                                            isFloat(type) ? wide : type, place);
  if (isFloat(type))
    return arith::SIToFPOp::create(nested, at, type, number);
  return number;
}

/// Element by element: such constants are shapes.
Value GraphBuilder::symbolicConstant(const Tensor &constant) {
  SmallVector<Tensor> parts;
  Type type = constant.elementType();
  for (int64_t i = 0; i < constant.size(); ++i) {
    Value number = sizeAs(builder, loc, type, constant.data->asInteger(i));
    Value init = empty({1}, type);
    parts.emplace_back(
        linalg::FillOp::create(builder, loc, number, init).getResult(0));
  }
  return reshape(concat(parts, 0), constant.shape()).value;
}

} // namespace qdialect::onnx_import
