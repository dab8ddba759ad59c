// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Binding of recurrent operators, and the loop over time.

#include "RecurrentCell.h"
#include "Indexing.h"
#include "IntegerProduct.h"
#include "QDialect/IR/AttributeNames.h"
#include "Quantization.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace qdialect::onnx_import {

Value CellActivation::operator()(const Scalars &s, Value x) const {
  auto number = [&](double value) { return s.number(x, value); };
  auto sigmoid = [&](Value v) {
    return s.div(number(1), s.add(number(1), s.exp(s.neg(v))));
  };
  Value positive = s.le(number(0), x);
  if (name == "sigmoid")
    return sigmoid(x);
  if (name == "tanh")
    return math::TanhOp::create(s.b, s.loc, x);
  if (name == "scaledtanh")
    return s.mul(number(alpha),
                 math::TanhOp::create(s.b, s.loc, s.mul(number(beta), x)));
  if (name == "relu")
    return s.max(x, number(0));
  if (name == "affine")
    return s.add(s.mul(number(alpha), x), number(beta));
  if (name == "leakyrelu")
    return s.select(positive, x, s.mul(number(alpha), x));
  if (name == "thresholdedrelu")
    return s.select(s.le(number(alpha), x), x, number(0));
  if (name == "hardsigmoid")
    return s.max(s.min(s.add(s.mul(number(alpha), x), number(beta)), number(1)),
                 number(0));
  if (name == "elu")
    return s.select(
        positive, x,
        s.mul(number(alpha), s.sub(s.exp(s.min(x, number(0))), number(1))));
  if (name == "softsign")
    return s.div(x, s.add(number(1), s.abs(x)));
  // softplus, without overflow.
  Value tail = math::Log1pOp::create(s.b, s.loc, s.exp(s.neg(s.abs(x))));
  return s.add(s.max(x, number(0)), tail);
}

static bool isActivation(StringRef name) {
  return llvm::is_contained({"sigmoid", "tanh", "scaledtanh", "relu", "affine",
                             "leakyrelu", "thresholdedrelu", "hardsigmoid",
                             "elu", "softsign", "softplus"},
                            name);
}

Value CellDirection::clipped(const Scalars &s, Value x) const {
  if (!clip)
    return x;
  return s.max(s.min(x, s.number(x, *clip)), s.number(x, -*clip));
}

Tensor matrixProduct(GraphBuilder &b, const Tensor &x, const Tensor &y,
                     StringRef label) {
  Value start = b.filled({x.dim(0), y.dim(1)}, x.elementType(), 0);
  auto product =
      linalg::MatmulOp::create(b.builder, b.loc, TypeRange{start.getType()},
                               ValueRange{b.value(x), b.value(y)}, start);
  if (auto node = dyn_cast<NameLoc>(b.loc))
    product->setAttr(
        qd::kNameAttr,
        b.builder.getStringAttr(node.getName().getValue() + "/" + label));
  return b.tensor(product.getResult(0), {x.dim(0), y.dim(1)});
}

namespace {

/// Row `row` of a tensor, without the first dimension.
Tensor readRow(GraphBuilder &b, const Tensor &tensor, Value row) {
  SmallVector<OpFoldResult> offsets(tensor.rank(), b.builder.getIndexAttr(0)),
      sizes = b.operands(tensor.shape()),
      strides(tensor.rank(), b.builder.getIndexAttr(1));
  offsets[0] = row;
  sizes[0] = b.builder.getIndexAttr(1);
  auto type = RankedTensorType::get(tensor.type.getShape().drop_front(),
                                    tensor.elementType());
  return b.tensor(tensor::ExtractSliceOp::create(b.builder, b.loc, type,
                                                 b.value(tensor), offsets,
                                                 sizes, strides),
                  tensor.shape().drop_front());
}

Value writeRow(GraphBuilder &b, const Tensor &row, Value into, Value at) {
  int64_t rank = row.rank() + 1;
  SmallVector<OpFoldResult> offsets(rank, b.builder.getIndexAttr(0)),
      sizes = b.operands(row.shape()), strides(rank, b.builder.getIndexAttr(1));
  offsets[0] = at;
  sizes.insert(sizes.begin(), b.builder.getIndexAttr(1));
  return tensor::InsertSliceOp::create(b.builder, b.loc, b.value(row), into,
                                       offsets, sizes, strides);
}

/// The next state where the step is inside of the sequence, else the old one.
Tensor keepBehindEnd(GraphBuilder &b, const Tensor &next, const Tensor &old,
                     const Tensor &lengths, const Tensor &time) {
  return generate(b, next.shape(), next.elementType(),
                  {along(next), along(old), {lengths, {0}}, {time, {}}},
                  [&](const Scalars &s, ValueRange v, ArrayRef<Value>) {
                    Value inside = s.lt(v[3], s.cast(v[2], v[3].getType()));
                    return s.select(inside, v[0], v[1]);
                  });
}

/// Zero behind the end of each sequence.
Tensor clearBehindEnd(GraphBuilder &b, const Tensor &y, const Tensor &lengths) {
  return generate(b, y.shape(), y.elementType(), {along(y), {lengths, {1}}},
                  [&](const Scalars &s, ValueRange v, ArrayRef<Value> places) {
                    Value inside =
                        s.lt(places[0], s.cast(v[1], s.b.getI64Type()));
                    return s.select(inside, v[0], s.number(v[0], 0));
                  });
}

} // namespace

CellStates runCell(GraphBuilder &b, const CellDirection &d,
                   const Tensor &inputBias, CellStep step) {
  int64_t steps = d.steps(), batch = d.batch(), hidden = d.hidden();
  Tensor flat = b.reshape(d.input, {b.sizes.mul(steps, batch), d.input.dim(2)});
  Tensor product =
      b.channelwise(d.inputProduct(flat), {inputBias}, 1,
                    [](OpBuilder &nested, Location at, ValueRange v) {
                      return Scalars{nested, at}.add(v[0], v[1]);
                    });
  int64_t gates = d.weights.dim(1);
  std::optional<Tensor> lengths = d.lengths;
  if (lengths)
    lengths = b.tensor(b.value(*lengths), lengths->shape());
  auto advance = [&](const Tensor &row, ArrayRef<Tensor> old,
                     llvm::function_ref<Tensor()> time) {
    SmallVector<Tensor, 2> next = step(row, old);
    for (auto [state, kept] : llvm::enumerate(next))
      if (lengths)
        kept = keepBehindEnd(b, kept, old[state], *lengths, time());
    return next;
  };
  CellStates result;
  if (steps == 1) {
    Tensor row = b.reshape(product, {batch, gates});
    result.last = advance(row, d.initial, [&] { return b.integers({}, {0}); });
    result.all = b.reshape(result.last[0], {1, batch, hidden});
  } else {
    Shape rows{steps, batch, gates}, state{batch, hidden},
        every{steps, batch, hidden};
    Tensor inputs = b.tensor(b.value(b.reshape(product, rows)), rows);
    std::optional<Tensor> times;
    if (lengths)
      times = generate(b, {steps}, b.builder.getI64Type(), {},
                       [](const Scalars &, ValueRange, ArrayRef<Value> at) {
                         return at[0];
                       });
    Value zero = b.index(0), one = b.index(1), count = b.index(steps);
    SmallVector<Value> starts;
    for (const Tensor &start : d.initial)
      starts.push_back(b.value(start));
    starts.push_back(b.empty(every, d.input.elementType()));
    auto loop = scf::ForOp::create(
        b.builder, b.loc, zero, count, one, starts,
        [&](OpBuilder &nested, Location at, Value t, ValueRange carried) {
          Value time = t;
          if (d.reverse)
            time = arith::SubIOp::create(nested, at,
                                         b.index(b.sizes.sub(steps, 1)), t);
          SmallVector<Tensor, 2> old;
          for (Value carries : carried.drop_back())
            old.push_back(b.tensor(carries, state));
          SmallVector<Tensor, 2> next =
              advance(readRow(b, inputs, time), old,
                      [&] { return readRow(b, *times, time); });
          SmallVector<Value> ends;
          for (const Tensor &end : next)
            ends.push_back(b.value(end));
          ends.push_back(writeRow(b, next[0], carried.back(), time));
          scf::YieldOp::create(nested, at, ends);
        });
    for (Value end : loop.getResults().drop_back())
      result.last.push_back(b.tensor(end, state));
    result.all = b.tensor(loop.getResults().back(), every);
    b.forget(loop.getRegion());
  }
  if (lengths)
    result.all = clearBehindEnd(b, result.all, *lengths);
  return result;
}

namespace {

/// The slice of one direction of a tensor whose first dimension is directions.
Tensor directionOf(GraphBuilder &b, const Tensor &x, int64_t direction) {
  Shape shape(x.shape().drop_front());
  return b.reshape(b.sliceAxis(x, 0, direction, 1), shape);
}

/// Checks the shape of an operand.
void requireShape(Node &n, const Tensor &x, StringRef label,
                  ArrayRef<int64_t> shape) {
  if (n.ok() && x.shape() != shape)
    n.emitError() << "input " << label << " " << n.b.describe(x)
                  << " does not have the shape " << n.b.describe(shape);
}

/// An initial state (directions, batch, H), or zeros.
Tensor bindInitial(Node &n, size_t index, StringRef label,
                   ArrayRef<int64_t> shape, bool batchFirst, const Tensor &x) {
  if (!n.hasInput(index))
    return n.b.tensor(n.b.filled(shape, x.elementType(), 0));
  Tensor initial = n.floatInput(index, label);
  n.requireSameType(x, initial);
  if (n.ok() && batchFirst && initial.rank() == 3)
    initial = n.b.transpose(initial, {1, 0, 2});
  requireShape(n, initial, label, shape);
  return initial;
}

/// The functions of each direction with their parameters.
SmallVector<CellActivation> bindActivations(Node &n, int64_t directions,
                                            ArrayRef<StringRef> defaults) {
  std::optional<SmallVector<std::string>> named = n.getStrings("activations");
  auto alphas = n.getFloats("activation_alpha").value_or(SmallVector<float>());
  auto betas = n.getFloats("activation_beta").value_or(SmallVector<float>());
  SmallVector<CellActivation> all;
  size_t wanted = static_cast<size_t>(directions) * defaults.size();
  if (named && named->size() != wanted && n.ok())
    n.emitError() << "attribute 'activations' has " << named->size()
                  << " names, but must have " << wanted;
  size_t nextAlpha = 0, nextBeta = 0;
  for (size_t i = 0; i < wanted && n.ok(); ++i) {
    CellActivation activation;
    activation.name = named ? StringRef((*named)[i]).lower()
                            : defaults[i % defaults.size()].lower();
    StringRef name = activation.name;
    if (!isActivation(name)) {
      n.emitError() << "attribute 'activations' names '" << name
                    << "', which is not known";
      break;
    }
    bool hasBeta =
        llvm::is_contained({"scaledtanh", "affine", "hardsigmoid"}, name);
    bool hasAlpha =
        hasBeta ||
        llvm::is_contained({"leakyrelu", "thresholdedrelu", "elu"}, name);
    activation.alpha = name == "leakyrelu"     ? 0.01
                       : name == "hardsigmoid" ? 0.2
                                               : 1;
    activation.beta = name == "hardsigmoid" ? 0.5 : name == "affine" ? 0 : 1;
    if (hasAlpha && nextAlpha < alphas.size())
      activation.alpha = alphas[nextAlpha++];
    if (hasBeta && nextBeta < betas.size())
      activation.beta = betas[nextBeta++];
    all.push_back(activation);
  }
  return all;
}

} // namespace

namespace {

/// Codes of 8 bits with the scales and zero points of each direction.
struct CellCodes {
  Tensor codes, scale;
  std::optional<Tensor> zeroPoint;
};

/// One number a direction, or one for each of `width` columns of it.
void requireColumns(Node &n, const Tensor &x, const llvm::Twine &label,
                    int64_t directions, int64_t width) {
  if (n.ok() && x.shape() != ArrayRef<int64_t>({directions}) &&
      x.shape() != ArrayRef<int64_t>({directions, 1}) &&
      x.shape() != ArrayRef<int64_t>({directions, width}))
    n.emitError() << label << " " << n.b.describe(x)
                  << " is neither one number nor a vector of " << width
                  << " for each of " << directions << " directions";
}

std::optional<CellCodes> bindCellCodes(Node &n, size_t index, StringRef label,
                                       size_t scaleIndex, int64_t directions) {
  CellCodes result;
  result.codes = n.input(index, label);
  result.scale = n.floatInput(scaleIndex, (label + "_scale").str());
  result.zeroPoint = n.optionalInput(scaleIndex + 1);
  if (!n.ok())
    return std::nullopt;
  Type element = result.codes.elementType();
  auto uint = dyn_cast<qd::UIntType>(element);
  if (!element.isInteger(8) && !(uint && uint.getWidth() == 8))
    n.emitError() << "input " << label << " is "
                  << describeType(result.codes.type)
                  << ", but must be uint8 or int8";
  else if (!result.scale.elementType().isF32())
    n.emitError() << "input " << label << "_scale is "
                  << describeType(result.scale.type) << ", but must be float32";
  else if (result.zeroPoint && result.zeroPoint->elementType() != element)
    n.emitError() << "zero point " << describeType(result.zeroPoint->type)
                  << " and input " << label << " "
                  << describeType(result.codes.type)
                  << " have different element types";
  else if (result.codes.rank() == 3) {
    int64_t width = result.codes.dim(2);
    requireColumns(n, result.scale, "input " + label + "_scale", directions,
                   width);
    if (result.zeroPoint)
      requireColumns(n, *result.zeroPoint, "input " + label + "_zero_point",
                     directions, width);
  }
  if (!n.ok())
    return std::nullopt;
  return result;
}

/// The numbers of one direction: a scalar, or a vector of its columns.
Tensor numbersOf(GraphBuilder &b, const Tensor &x, int64_t direction) {
  Tensor row = b.sliceAxis(x, 0, direction, 1);
  return row.size() == 1 ? b.reshape(row, {}) : b.reshape(row, {row.size()});
}

/// x times codes: x rounded to unsigned bytes with a scale for all of it, f32
/// of the integer product times both scales, as ONNX Runtime does.
std::function<Tensor(const Tensor &)>
codedProduct(Node &n, const CellCodes &codes, int64_t direction) {
  GraphBuilder &b = n.b;
  std::optional<Tensor> zero;
  if (codes.zeroPoint)
    zero = numbersOf(b, *codes.zeroPoint, direction);
  ByteCodes weights =
      toByteCodes(b, directionOf(b, codes.codes, direction), zero, /*axis=*/1);
  Tensor scale = numbersOf(b, codes.scale, direction);
  return [&n, weights, scale](const Tensor &x) -> Tensor {
    Type bytes = qd::UIntType::get(n.b.context(), 8);
    Grid grid = chooseGrid(n.b, x, bytes);
    ByteCodes rounded = toByteCodes(n.b, quantize(n.b, x, grid, bytes),
                                    grid.zeroPoint, /*axis=*/0);
    // Shapes were checked, so that there is a product.
    Tensor sum = *integerMatmul(n, rounded, weights);
    Type f32 = n.b.builder.getF32Type();
    return n.b.elementwise(
        {sum, grid.scale, scale}, f32,
        [&](OpBuilder &nested, Location at, ValueRange v) -> Value {
          Value real = arith::SIToFPOp::create(nested, at, f32, v[0]);
          Value step = arith::MulFOp::create(nested, at, v[1], v[2]);
          return arith::MulFOp::create(nested, at, real, step);
        });
  };
}

} // namespace

std::vector<CellDirection> bindRecurrent(Node &n, int64_t gates, size_t states,
                                         ArrayRef<StringRef> defaults,
                                         CellWeights kind) {
  bool areCodes = kind == CellWeights::Codes;
  Tensor x = n.floatInput(0, "X");
  Tensor w = areCodes ? n.input(1, "W") : n.floatInput(1, "W"),
         r = areCodes ? n.input(2, "R") : n.floatInput(2, "R");
  std::string direction = n.getString("direction", "forward");
  bool batchFirst = n.getInt("layout", 0) != 0;
  n.ignore({"hidden_size", "output_sequence"}); // R says it; opset 6 leftover
  if (!areCodes) {
    n.requireSameType(x, w);
    n.requireSameType(x, r);
  }
  int64_t directions = direction == "bidirectional" ? 2 : 1;
  SmallVector<CellActivation> activations =
      bindActivations(n, directions, defaults);
  if (!n.ok())
    return {};
  if (direction != "forward" && direction != "reverse" && directions == 1) {
    n.emitError() << "attribute 'direction' is '" << direction
                  << "', which is not known";
    return {};
  }
  if (x.rank() != 3 || w.rank() != 3 || r.rank() != 3) {
    n.emitError() << "X " << describeType(x.type) << ", W "
                  << describeType(w.type) << " and R " << describeType(r.type)
                  << " must have rank 3";
    return {};
  }
  if (SymbolicSizes::isSymbolic(x.dim(2)) ||
      SymbolicSizes::anySymbolic(w.shape()) ||
      SymbolicSizes::anySymbolic(r.shape())) {
    n.emitError() << "input size of X " << n.b.describe(x) << ", W "
                  << n.b.describe(w) << " and R " << n.b.describe(r)
                  << " must not be symbolic";
    return {};
  }
  if (batchFirst)
    x = n.b.transpose(x, {1, 0, 2});
  int64_t batch = x.dim(1), hidden = r.dim(areCodes ? 1 : 2),
          width = gates * hidden;
  std::optional<CellCodes> weightCodes, recurrenceCodes;
  if (areCodes) {
    requireShape(n, w, "W", {directions, x.dim(2), width});
    requireShape(n, r, "R", {directions, hidden, width});
    weightCodes = bindCellCodes(n, 1, "W", 8, directions);
    recurrenceCodes = bindCellCodes(n, 2, "R", 10, directions);
    if (n.ok() && !x.elementType().isF32())
      n.emitError() << "input X is " << describeType(x.type)
                    << ", but must be float32";
  } else {
    requireShape(n, w, "W", {directions, width, x.dim(2)});
    requireShape(n, r, "R", {directions, width, hidden});
  }
  if (!n.ok())
    return {}; // the hidden size is anything
  Tensor bias;
  if (n.hasInput(3)) {
    bias = n.floatInput(3, "B");
    n.requireSameType(x, bias);
    requireShape(n, bias, "B", {directions, 2 * width});
  } else {
    bias = n.b.splat(x.elementType(), {directions, 2 * width}, 0);
  }
  std::optional<Tensor> lengths = n.optionalInput(4);
  if (lengths) {
    requireShape(n, *lengths, "sequence_lens", {batch});
    if (n.ok() && !isSignlessInteger(lengths->elementType()))
      n.emitError() << "input sequence_lens is " << describeType(lengths->type)
                    << ", but must be int32";
  }
  SmallVector<Tensor, 2> initial;
  constexpr StringLiteral labels[] = {"initial_h", "initial_c"};
  for (size_t state = 0; state < states; ++state)
    initial.push_back(bindInitial(n, 5 + state, labels[state],
                                  {directions, batch, hidden}, batchFirst, x));
  std::optional<double> clip;
  if (n.hasAttribute("clip"))
    clip = n.getFloat("clip", 0);
  if (!n.ok())
    return {};
  std::vector<CellDirection> result;
  for (int64_t i = 0; i < directions; ++i) {
    CellDirection d;
    d.input = x;
    d.weights = directionOf(n.b, w, i);
    d.recurrence = directionOf(n.b, r, i);
    if (areCodes) {
      d.inputProduct = codedProduct(n, *weightCodes, i);
      d.recurrentProduct = codedProduct(n, *recurrenceCodes, i);
    } else {
      d.weights = n.b.transpose(d.weights, {1, 0});
      d.recurrence = n.b.transpose(d.recurrence, {1, 0});
      d.inputProduct = [&n, matrix = d.weights](const Tensor &y) {
        return matrixProduct(n.b, y, matrix, "input");
      };
      d.recurrentProduct = [&n, matrix = d.recurrence](const Tensor &y) {
        return matrixProduct(n.b, y, matrix, "recurrent");
      };
    }
    Tensor both = directionOf(n.b, bias, i);
    d.inputBias = n.b.sliceAxis(both, 0, 0, width);
    d.recurrenceBias = n.b.sliceAxis(both, 0, width, width);
    d.lengths = lengths;
    for (const Tensor &state : initial)
      d.initial.push_back(directionOf(n.b, state, i));
    size_t each = defaults.size(), from = static_cast<size_t>(i) * each;
    d.activations.assign(activations.begin() + from,
                         activations.begin() + from + each);
    d.clip = clip;
    d.reverse = direction == "reverse" || i == 1;
    result.push_back(std::move(d));
  }
  return result;
}

LogicalResult finishRecurrent(Node &n, ArrayRef<CellDirection> directions,
                              ArrayRef<CellStates> states) {
  bool batchFirst = n.getInt("layout", 0) != 0;
  const CellDirection &d = directions.front();
  int64_t steps = d.steps(), batch = d.batch(), hidden = d.hidden();
  SmallVector<Tensor> all;
  for (const CellStates &state : states)
    all.push_back(n.b.reshape(state.all, {steps, 1, batch, hidden}));
  Tensor y = n.b.concat(all, 1);
  if (batchFirst)
    y = n.b.transpose(y, {2, 0, 1, 3});
  if (n.wantsOutput(0) && failed(n.result(0, y)))
    return failure();
  for (size_t i = 0; i < states.front().last.size(); ++i) {
    if (!n.wantsOutput(i + 1))
      continue;
    SmallVector<Tensor> last;
    for (const CellStates &state : states)
      last.push_back(n.b.reshape(state.last[i], {1, batch, hidden}));
    Tensor end = n.b.concat(last, 0);
    if (batchFirst)
      end = n.b.transpose(end, {1, 0, 2});
    if (failed(n.result(i + 1, end)))
      return failure();
  }
  return success();
}

} // namespace qdialect::onnx_import
