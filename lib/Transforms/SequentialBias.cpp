// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Both networks, op by op, on the same samples (SequentialBias.h).

#include "QDialect/Transforms/SequentialBias.h"

#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Interpreter/InputSpecs.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Transforms/Quantize.h"
#include "QuantizationPlan.h"
#include "QuantizeContraction.h"
#include "mlir/IR/BuiltinOps.h"
#include <algorithm>

using namespace mlir;

namespace qdialect {
namespace {

/// Means settle early; each sample costs two runs and the memory of one.
constexpr int64_t kSamples = 64;

/// Into which samples are taken together, in their order.
constexpr size_t kRuns = 8;

using Samples = std::vector<std::vector<HostTensor>>;

/// A unit whose bias is corrected.
struct Layer {
  QuantizableUnit unit;
  BiasPlace place;
  /// Of each channel, sample by sample, in the float network.
  std::vector<std::vector<double>> means;
  std::vector<double> corrections; ///< of each channel of the quantized one
};

/// For each element of `tensor`, the number of its channel.
std::vector<int32_t> channelNumbers(const HostTensor &tensor,
                                    const ChannelDims &channels) {
  ArrayRef<int64_t> shape = tensor.shape();
  std::vector<int64_t> strides(shape.size(), 0);
  int64_t stride = 1;
  for (auto [dim, size] : llvm::reverse(
           llvm::to_vector(llvm::zip_equal(channels.dims, channels.sizes)))) {
    strides[dim] = stride;
    stride *= size;
  }
  std::vector<int32_t> numbers{0};
  numbers.reserve(tensor.size());
  for (auto [size, step] : llvm::zip_equal(shape, strides)) {
    std::vector<int32_t> next;
    next.reserve(numbers.size() * size);
    for (int32_t number : numbers)
      for (int64_t index = 0; index < size; ++index)
        next.push_back(static_cast<int32_t>(number + index * step));
    numbers = std::move(next);
  }
  return numbers;
}

/// The mean of each channel in each sample.
std::vector<std::vector<double>> channelMeans(ArrayRef<HostTensor *> samples,
                                              ArrayRef<int32_t> numbers,
                                              int64_t count) {
  std::vector<std::vector<double>> means;
  double elements =
      static_cast<double>(numbers.size()) / static_cast<double>(count);
  for (HostTensor *sample : samples) {
    std::vector<double> &sums = means.emplace_back(count, 0);
    const float *values = sample->data<float>();
    for (auto [i, number] : llvm::enumerate(numbers))
      sums[number] += values[i];
    for (double &sum : sums)
      sum /= elements;
  }
  return means;
}

/// How far the means are off, in the part that other data may be expected to
/// share. Runs of samples (a recording, a photograph and its crops) hang
/// together, so the unit is a run: with m_b the shifts of B runs,
///
///   sum over b != c of <m_b, m_c> / (B (B - 1))
///
/// is the expected square of what they have in common, over all channels, and
/// its share of the square of their mean is what is kept of each channel.
std::vector<double>
commonShift(const std::vector<std::vector<double>> &wanted,
            const std::vector<std::vector<double>> &actual) {
  size_t samples = wanted.size(), runs = std::min(kRuns, samples),
         channels = wanted.front().size();
  std::vector<double> mean(channels, 0);
  double own = 0;
  for (size_t run = 0; run < runs; ++run) {
    size_t first = run * samples / runs, last = (run + 1) * samples / runs;
    for (size_t channel = 0; channel < channels; ++channel) {
      double shift = 0;
      for (size_t i = first; i < last; ++i)
        shift += wanted[i][channel] - actual[i][channel];
      shift /= static_cast<double>(last - first);
      own += shift * shift;
      mean[channel] += shift / static_cast<double>(runs);
    }
  }
  if (runs < 2)
    return mean;
  auto count = static_cast<double>(runs);
  double square = 0;
  for (double shift : mean)
    square += shift * shift;
  double common = (count * count * square - own) / (count * (count - 1));
  double kept = square > 0 ? std::max(common / square, 0.0) : 0;
  for (double &shift : mean)
    shift *= kept;
  return mean;
}

llvm::Expected<Samples> readSamples(func::FuncOp function, StringRef path) {
  auto specs = inputSpecs(function);
  if (!specs)
    return specs.takeError();
  for (const InputSpec &spec : *specs)
    if (llvm::is_contained(spec.shape, -1))
      return llvm::createStringError(
          "bias_correction: sequential wants inputs of fixed sizes (--dim "
          "name=number); '" +
          spec.name + "' has a symbolic one");
  auto source = InputSource::open(path, *specs);
  if (!source)
    return source.takeError();
  Samples samples;
  while (static_cast<int64_t>(samples.size()) < kSamples) {
    auto sample = source->next();
    if (!sample)
      return sample.takeError();
    if (!*sample)
      break;
    samples.push_back(std::move(**sample));
  }
  if (samples.empty())
    return llvm::createStringError("'" + path + "' holds no sample");
  return samples;
}

/// Finds and marks the layers whose bias the recipe's rounding concerns. Loops
/// and branches run as one op and stay as they are.
std::vector<Layer> findLayers(func::FuncOp function, const Recipe &recipe,
                              const Statistics &statistics) {
  std::vector<Layer> layers;
  QuantizationPlan plan(function, recipe, &statistics);
  for (const PlannedUnit &planned : plan.units) {
    const QuantizableUnit &unit = planned.unit;
    if (!planned.isInteger || planned.isDynamic || !unit.contraction ||
        !unit.contraction->weightIsConstant ||
        unit.root->getBlock() != &function.getBody().front())
      continue;
    if (std::optional<BiasPlace> place = findBias(unit))
      layers.push_back({unit, *place, {}, {}});
  }
  Builder builder(function.getContext());
  for (auto [number, layer] : llvm::enumerate(layers))
    layer.place.op->setAttr(qd::kCorrectedLayerAttr,
                            builder.getI64IntegerAttr(number));
  return layers;
}

/// Runs `function` and calls `meet` at each layer.
llvm::Error runLayers(
    func::FuncOp function, MutableArrayRef<Layer> layers,
    const Samples &samples,
    llvm::function_ref<void(Layer &, ArrayRef<HostTensor *>, ArrayRef<int32_t>)>
        meet) {
  return interpretSideBySide(
      function, samples, [&](Operation *op, ArrayRef<HostTensor *> results) {
        if (auto number =
                op->getAttrOfType<IntegerAttr>(qd::kCorrectedLayerAttr)) {
          Layer &layer = layers[number.getInt()];
          meet(layer, results,
               channelNumbers(*results.front(), layer.place.channels));
        }
        return llvm::Error::success();
      });
}

} // namespace

llvm::Expected<int64_t> correctBiasSequentially(func::FuncOp function,
                                                const Recipe &recipe,
                                                const Statistics &statistics,
                                                StringRef path) {
  auto samples = readSamples(function, path);
  if (!samples)
    return samples.takeError();
  OwningOpRef<ModuleOp> copies(ModuleOp::create(function.getLoc()));
  func::FuncOp real = function.clone();
  copies->push_back(real);
  size_t count = findLayers(real, recipe, statistics).size();
  correctBiases(function, recipe, statistics);
  std::vector<Layer> layers = findLayers(function, recipe, statistics);
  assert(layers.size() == count && "a bias is one that can be corrected");
  (void)count;
  func::FuncOp rounded = function.clone();
  rounded.setName("rounded");
  copies->push_back(rounded);
  for (Layer &layer : layers)
    layer.place.op->removeAttr(qd::kCorrectedLayerAttr);

  Recipe uncorrected = recipe;
  uncorrected.biasCorrection = BiasCorrection::None;
  if (failed(quantizeProgram(rounded, uncorrected, statistics)))
    return llvm::createStringError("the program could not be quantized");
  if (llvm::Error error =
          runLayers(real, layers, *samples,
                    [](Layer &layer, ArrayRef<HostTensor *> values,
                       ArrayRef<int32_t> numbers) {
                      layer.means = channelMeans(values, numbers,
                                                 layer.place.channels.count());
                    }))
    return std::move(error);
  if (llvm::Error error = runLayers(
          rounded, layers, *samples,
          [](Layer &layer, ArrayRef<HostTensor *> values,
             ArrayRef<int32_t> numbers) {
            std::vector<std::vector<double>> found =
                channelMeans(values, numbers, layer.place.channels.count());
            layer.corrections = commonShift(layer.means, found);
            for (HostTensor *sample : values) {
              float *elements = sample->mutableData<float>();
              for (auto [i, number] : llvm::enumerate(numbers))
                elements[i] += static_cast<float>(layer.corrections[number]);
            }
          }))
    return std::move(error);
  int64_t corrected = 0;
  for (Layer &layer : layers) {
    if (layer.corrections.empty())
      continue;
    addToBias(layer.unit, layer.corrections);
    ++corrected;
  }
  return corrected;
}

} // namespace qdialect
