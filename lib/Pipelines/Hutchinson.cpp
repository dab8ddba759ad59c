// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The mean diagonal of a layer's Hessian by Hutchinson's method: for v of
// random signs, E[v^T H v] = trace H. The product needs no backpropagation,
// since
//
//   v^T H v  =  (L(w + e v) + L(w - e v) - 2 L(w)) / e^2  +  O(e^2)
//
// with L the distance of the outputs from those of the model itself, so that
// L(w) = 0 is its minimum and H the Gauss-Newton matrix of the model's own
// decisions; no labels are needed. Each layer is moved alone: the trace of its
// block. The estimate's spread falls with the number of weights and probes.

#include "SearchTable.h"

#include "QDialect/IR/QDDialect.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/SearchSpace.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/xxhash.h"
#include <cmath>
#include <random>

using namespace mlir;

namespace qdialect {
namespace {

/// A step, by the root mean square of the weights: large enough that f32
/// outputs tell the difference.
constexpr double kStep = 1e-2;

llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

func::FuncOp mainOf(ModuleOp module) {
  return module.lookupSymbol<func::FuncOp>("main");
}

/// The weights of a layer in the program in floats.
llvm::Expected<HostTensor> weightsOf(ModuleOp program, StringRef name) {
  Operation *layer = findLayer(mainOf(program), name);
  std::optional<ConstantView> view;
  if (layer)
    view = constantView(weightOperand(layer).get());
  if (!view || view->dtype != DType::F32)
    return failure("layer '" + name + "' has no constant weights");
  return view->toHostTensor();
}

class CurvatureProbe {
public:
  CurvatureProbe(VariantRunner &runner, ModuleOp program)
      : runner(runner), program(program) {}

  llvm::Error prepare() {
    OwningOpRef<ModuleOp> copy(program.clone());
    auto outputs = outputsOf(*copy);
    if (!outputs)
      return outputs.takeError();
    expected = std::move(*outputs);
    metric = hasClasses(expected) ? LossMetric::KL : LossMetric::SQNR;
    return llvm::Error::success();
  }

  /// v^T H v / n for one direction of signs.
  llvm::Expected<double> measure(StringRef layer, const HostTensor &weights,
                                 std::mt19937_64 &random) {
    const float *w = weights.data<float>();
    double power = 0;
    for (int64_t i = 0; i < weights.size(); ++i)
      power += static_cast<double>(w[i]) * w[i];
    double step = kStep * std::sqrt(power / weights.size());
    if (step == 0)
      return 0;
    HostTensor up(DType::F32, weights.shape()),
        down(DType::F32, weights.shape());
    uint64_t bits = 0;
    for (int64_t i = 0; i < weights.size(); ++i, bits >>= 1) {
      if (i % 64 == 0)
        bits = random();
      double move = bits & 1 ? step : -step;
      up.mutableData<float>()[i] = static_cast<float>(w[i] + move);
      down.mutableData<float>()[i] = static_cast<float>(w[i] - move);
    }
    double sum = 0;
    for (const HostTensor &moved : {up, down}) {
      auto loss = lossWith(layer, moved);
      if (!loss)
        return loss.takeError();
      sum += *loss;
    }
    return sum / (step * step) / weights.size();
  }

private:
  llvm::Expected<VariantRunner::Outputs> outputsOf(ModuleOp variant) {
    auto executor = runner.compileFloat(variant);
    if (!executor)
      return executor.takeError();
    return runner.run((*executor)->model());
  }

  llvm::Expected<double> lossWith(StringRef name, const HostTensor &weights) {
    OwningOpRef<ModuleOp> variant(program.clone());
    OpOperand &operand = weightOperand(findLayer(mainOf(*variant), name));
    OpBuilder builder(operand.getOwner());
    operand.set(makeConstant(builder, operand.getOwner()->getLoc(),
                             cast<RankedTensorType>(operand.get().getType()),
                             "moved", weights));
    auto outputs = outputsOf(*variant);
    if (!outputs)
      return outputs.takeError();
    return lossOf(metric, expected, *outputs);
  }

  VariantRunner &runner;
  ModuleOp program;
  VariantRunner::Outputs expected;
  LossMetric metric = LossMetric::KL;
};

/// The dequantized weights of a layer in a quantized program.
llvm::Expected<HostTensor> dequantizedWeights(ModuleOp program,
                                              StringRef name) {
  Operation *layer = findLayer(mainOf(program), name);
  Operation *maker =
      layer ? weightOperand(layer).get().getDefiningOp() : nullptr;
  if (!isa_and_nonnull<qd::DequantizeOp>(maker))
    return failure("layer '" + name + "' has no quantized weights");
  SmallVector<HostTensor> operands;
  for (Value operand : maker->getOperands()) {
    std::optional<ConstantView> view = constantView(operand);
    if (!view)
      return failure("the scales of layer '" + name + "' are not constant");
    operands.push_back(view->toHostTensor());
  }
  auto results = evaluate(maker, operands);
  if (!results)
    return results.takeError();
  return std::move(results->front());
}

} // namespace

llvm::Expected<std::vector<double>> measureCurvatures(VariantRunner &runner,
                                                      const CostTable &table,
                                                      int64_t probes,
                                                      llvm::raw_ostream *log) {
  OwningOpRef<ModuleOp> program(runner.program().clone());
  stripObservers(mainOf(*program));
  CurvatureProbe probe(runner, *program);
  if (llvm::Error error = probe.prepare())
    return std::move(error);
  SearchProgress progress(log, "sensitivities", table.layers.size() * probes);
  std::vector<double> curvatures;
  for (const CostTable::Layer &layer : table.layers) {
    auto weights = weightsOf(*program, layer.name);
    if (!weights)
      return weights.takeError();
    // The same directions whatever the order of layers.
    std::mt19937_64 random(llvm::xxh3_64bits(layer.name));
    double sum = 0;
    for (int64_t i = 0; i < probes; ++i) {
      auto value = probe.measure(layer.name, *weights, random);
      if (!value)
        return value.takeError();
      sum += *value;
      progress.step();
    }
    curvatures.push_back(sum / probes);
  }
  return curvatures;
}

llvm::Expected<std::vector<double>> weightDistances(VariantRunner &runner,
                                                    const CostTable &table,
                                                    const Recipe &from,
                                                    const Recipe &to) {
  auto before = runner.quantize(from), after = runner.quantize(to);
  if (!before || !after)
    return llvm::joinErrors(before.takeError(), after.takeError());
  std::vector<double> distances;
  for (const CostTable::Layer &layer : table.layers) {
    auto a = dequantizedWeights(**before, layer.name),
         b = dequantizedWeights(**after, layer.name);
    if (!a || !b)
      return llvm::joinErrors(a.takeError(), b.takeError());
    double sum = 0;
    for (int64_t i = 0; i < a->size(); ++i) {
      double difference = b->asDouble(i) - a->asDouble(i);
      sum += difference * difference;
    }
    distances.push_back(sum);
  }
  return distances;
}

} // namespace qdialect
