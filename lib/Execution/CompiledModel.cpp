// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C ABI takes bare pointers, so everything that can be wrong with a tensor
// is found here first and named.

#include "QDialect/Execution/CompiledModel.h"
#include "LibraryFile.h"
#include "QDialect/Execution/EmulatedDevice.h"
#include "QDialect/Support/SymbolicSizes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace llvm;
using namespace qdialect;

// The ABI numbers element types as DType does.
static_assert(QD_I1 == static_cast<int>(DType::I1) &&
              QD_U8 == static_cast<int>(DType::U8) &&
              QD_F16 == static_cast<int>(DType::F16) &&
              QD_F64 == static_cast<int>(DType::F64));

struct CompiledModel::Impl {
  ~Impl() {
    if (instance)
      file->destroy(instance);
  }
  Error instantiate();
  bool isForGpu() const {
    const qd_info *info = file->info;
    return info->num_variants &&
           StringRef(info->variants[0]).starts_with("sm_");
  }

  std::string path;
  LoadOptions options;
  std::shared_ptr<LibraryFile> file;
  std::unique_ptr<EmulatedDevice> device;
  qd_model *instance = nullptr;
  std::vector<TensorSpec> inputs, outputs;

  Error failure(qd_status status, const Twine &what) const {
    std::string why = file->statusString(status);
    if (status == QD_SHAPE_MISMATCH || status == QD_DEVICE_FAILURE)
      why = file->error(instance);
    if (status == QD_OUT_OF_MEMORY && isForGpu())
      why += std::string(": ") + file->error(instance);
    return createStringError(what + " model '" + path + "' failed: " + why);
  }
};

bool TensorSpec::fits(const HostTensor &tensor) const {
  return type == tensor.type() && shape.size() == tensor.shape().size() &&
         all_of(zip(shape, tensor.shape()), [](auto pair) {
           return std::get<0>(pair) < 0 ||
                  std::get<0>(pair) == std::get<1>(pair);
         });
}

std::string TensorSpec::describe() const {
  std::string text;
  for (auto [axis, size] : enumerate(shape))
    text += (size < 0 ? dimNames[axis] : std::to_string(size)) + "x";
  std::string element = qdialect::describe(type, {});
  return text + (codes.empty() ? element : codes + " in " + element);
}

static std::vector<TensorSpec> readSpecs(const qd_tensor_info *tensors,
                                         uint32_t count) {
  std::vector<TensorSpec> specs;
  for (const qd_tensor_info &tensor : ArrayRef(tensors, count)) {
    TensorSpec spec;
    spec.name = tensor.name;
    spec.type = static_cast<DType>(tensor.dtype);
    spec.shape.assign(tensor.dims, tensor.dims + tensor.rank);
    for (int32_t axis = 0; tensor.dim_names && axis < tensor.rank; ++axis)
      spec.dimNames.push_back(tensor.dim_names[axis] ? tensor.dim_names[axis]
                                                     : "");
    if (tensor.codes)
      spec.codes = tensor.codes;
    specs.push_back(std::move(spec));
  }
  return specs;
}

std::string SymbolSpec::describe() const {
  std::string text = std::to_string(low) + "..";
  // Libraries say so where nothing limits a size.
  if (high < SymbolicSizes::kUnbounded / step * step)
    text += std::to_string(high);
  if (step != 1)
    text += " in steps of " + std::to_string(step);
  return isComputed ? text + " from data" : text;
}

static std::vector<std::string> variantNames(const qd_info *info) {
  return {info->variants, info->variants + info->num_variants};
}

Error CompiledModel::Impl::instantiate() {
  qd_options raw = {};
  raw.struct_size = sizeof(raw);
  raw.threads = options.threads;
  raw.profile = options.profile;
  raw.variant = options.variant.empty() ? nullptr : options.variant.c_str();
  if (device)
    raw.device = device->table();
  char why[512] = "";
  raw.error = why;
  raw.error_bytes = sizeof(why);
  qd_model *created = nullptr;
  qd_status status = file->create(&raw, &created);
  if (status == QD_OK) {
    if (instance)
      file->destroy(instance);
    instance = created;
    return Error::success();
  }
  std::string message = ("cannot start model '" + Twine(path) +
                         "': " + file->statusString(status))
                            .str();
  if (StringRef(why) != file->statusString(status))
    message += std::string(": ") + why;
  if (status == QD_UNSUPPORTED_CPU) {
    const char *forced = raw.variant ? raw.variant : getenv("QDIALECT_CPU");
    if (forced && *forced)
      message += std::string(" (asked for: ") + forced + ")";
    message += "; the library has " + join(variantNames(file->info), ", ");
  }
  if (status == QD_UNSUPPORTED_DEVICE)
    message += "; the library has " + join(variantNames(file->info), ", ");
  if (status == QD_INVALID_ARGUMENT)
    message += " (threads = " + std::to_string(options.threads) + ")";
  return createStringError(message);
}

CompiledModel::CompiledModel() : impl(std::make_unique<Impl>()) {}
CompiledModel::~CompiledModel() = default;

Expected<std::unique_ptr<CompiledModel>>
CompiledModel::load(StringRef path, const LoadOptions &options) {
  auto library = LibraryFile::open(path);
  if (!library)
    return library.takeError();
  std::unique_ptr<CompiledModel> model(new CompiledModel());
  Impl &impl = *model->impl;
  impl.path = path.str();
  impl.options = options;
  impl.file = std::move(*library);
  const qd_info *info = impl.file->info;
  impl.inputs = readSpecs(info->inputs, info->num_inputs);
  impl.outputs = readSpecs(info->outputs, info->num_outputs);
  if (!options.device.empty() && model->isForGpu()) {
    auto device = EmulatedDevice::create(options.device, options.threads);
    if (!device)
      return device.takeError();
    impl.device = std::move(*device);
  }
  bool runsAnywhere = !options.describeOnly || !model->isForGpu();
  if (runsAnywhere || !options.device.empty())
    if (Error error = impl.instantiate())
      return std::move(error);
  return model;
}

ArrayRef<TensorSpec> CompiledModel::inputs() const { return impl->inputs; }
ArrayRef<TensorSpec> CompiledModel::outputs() const { return impl->outputs; }
llvm::Expected<InputSource> CompiledModel::openSamples(StringRef path) const {
  std::vector<InputSpec> specs;
  for (const TensorSpec &input : inputs())
    specs.push_back({input.name, input.type, input.shape});
  return InputSource::open(path, specs);
}
std::vector<SymbolSpec> CompiledModel::symbols() const {
  const qd_info *info = impl->file->info;
  std::vector<SymbolSpec> list;
  for (const qd_symbol &symbol : ArrayRef(info->symbols, info->num_symbols))
    list.push_back({symbol.name, symbol.low, symbol.high, symbol.step,
                    symbol.computed != 0});
  return list;
}
StringRef CompiledModel::prefix() const { return impl->file->info->prefix; }
StringRef CompiledModel::variant() const {
  return impl->instance ? impl->file->variant(impl->instance) : "";
}
std::vector<std::string> CompiledModel::variants() const {
  return variantNames(impl->file->info);
}
bool CompiledModel::isForGpu() const { return impl->isForGpu(); }
const EmulatedDevice *CompiledModel::emulator() const {
  return impl->device.get();
}
StringRef CompiledModel::receipt() const {
  const qd_info *info = impl->file->info;
  return {info->receipt, info->receipt_size};
}
int64_t CompiledModel::scratchBytes() const {
  return impl->file->info->scratch_bytes;
}
int64_t CompiledModel::weightsBytes() const {
  return impl->file->info->weights_bytes;
}

std::vector<HostTensor> CompiledModel::makeOutputs() const {
  std::vector<HostTensor> tensors;
  for (const TensorSpec &spec : impl->outputs)
    tensors.emplace_back(spec.type, spec.shape);
  return tensors;
}

bool CompiledModel::isDynamic() const {
  return impl->file->info->num_symbols != 0;
}

/// The C ABI's view of shapes.
static SmallVector<const int64_t *> dimsOf(ArrayRef<HostTensor> tensors) {
  SmallVector<const int64_t *> dims;
  for (const HostTensor &tensor : tensors)
    dims.push_back(tensor.shape().data());
  return dims;
}

static Error checkTensors(StringRef kind, ArrayRef<TensorSpec> specs,
                          ArrayRef<HostTensor> tensors) {
  if (specs.size() != tensors.size())
    return createStringError("the model has " + Twine(specs.size()) + " " +
                             kind + "s, " + Twine(tensors.size()) + " given");
  for (auto [spec, tensor] : zip(specs, tensors))
    if (!spec.fits(tensor))
      return createStringError(kind + " '" + spec.name + "' is " +
                               spec.describe() + ", given " +
                               describe(tensor.type(), tensor.shape()));
  return Error::success();
}

Expected<std::vector<std::vector<int64_t>>>
CompiledModel::outputShapes(ArrayRef<HostTensor> inputs) const {
  if (Error error = checkTensors("input", impl->inputs, inputs))
    return std::move(error);
  std::vector<std::vector<int64_t>> shapes;
  SmallVector<int64_t *> targets;
  for (const TensorSpec &spec : impl->outputs)
    shapes.push_back(spec.shape);
  for (std::vector<int64_t> &shape : shapes)
    targets.push_back(shape.data());
  qd_status status = impl->file->outputDims(
      impl->instance, dimsOf(inputs).data(), targets.data());
  if (status != QD_OK)
    return impl->failure(status, "running");
  return shapes;
}

/// Does the model compute a size of a shape that outputShapes gave?
static bool isComputed(ArrayRef<int64_t> shape) {
  return is_contained(shape, -1);
}

Expected<std::vector<HostTensor>>
CompiledModel::makeOutputs(ArrayRef<HostTensor> inputs) const {
  if (!isDynamic())
    return makeOutputs();
  auto shapes = outputShapes(inputs);
  if (!shapes)
    return shapes.takeError();
  std::vector<HostTensor> tensors;
  for (auto [spec, shape] : zip(impl->outputs, *shapes)) {
    std::replace(shape.begin(), shape.end(), int64_t(-1), int64_t(0));
    tensors.emplace_back(spec.type, shape);
  }
  return tensors;
}

/// What the last run made of output number `index`, whose size the model
/// computed.
HostTensor CompiledModel::computedOutput(unsigned index) const {
  const TensorSpec &spec = impl->outputs[index];
  std::vector<int64_t> shape(spec.shape.size());
  const void *data = impl->file->result(impl->instance, index, shape.data());
  HostTensor tensor(spec.type, shape);
  if (tensor.sizeInBytes())
    std::memcpy(tensor.mutableBytes(), data, tensor.sizeInBytes());
  return tensor;
}

Error CompiledModel::runInto(ArrayRef<HostTensor> inputs,
                             MutableArrayRef<HostTensor> outputs) {
  if (Error error = checkTensors("input", impl->inputs, inputs))
    return error;
  if (Error error = checkTensors("output", impl->outputs, outputs))
    return error;
  SmallVector<const void *> sources;
  SmallVector<void *> targets;
  for (const HostTensor &tensor : inputs)
    sources.push_back(tensor.bytes());
  for (HostTensor &tensor : outputs)
    targets.push_back(tensor.mutableBytes());
  if (!isDynamic()) {
    qd_status status =
        impl->file->run(impl->instance, sources.data(), targets.data());
    return status == QD_OK ? Error::success()
                           : impl->failure(status, "running");
  }
  // Whoever made the outputs may have made them for other inputs.
  auto wanted = outputShapes(inputs);
  if (!wanted)
    return wanted.takeError();
  for (auto [spec, shape, given] : zip(impl->outputs, *wanted, outputs))
    if (!isComputed(shape) && ArrayRef(shape) != ArrayRef(given.shape()))
      return createStringError("output '" + spec.name + "' is " +
                               qdialect::describe(spec.type, shape) +
                               ", given " +
                               describe(given.type(), given.shape()));
  qd_status status = impl->file->runDims(impl->instance, sources.data(),
                                         dimsOf(inputs).data(), targets.data());
  if (status != QD_OK)
    return impl->failure(status, "running");
  for (auto [index, shape] : enumerate(*wanted))
    if (isComputed(shape))
      outputs[index] = computedOutput(index);
  return Error::success();
}

Expected<std::vector<HostTensor>>
CompiledModel::run(ArrayRef<HostTensor> inputs) {
  auto outputs = makeOutputs(inputs);
  if (!outputs)
    return outputs.takeError();
  if (Error error = runInto(inputs, *outputs))
    return std::move(error);
  return outputs;
}

Error CompiledModel::setThreads(int threads) {
  int before = std::exchange(impl->options.threads, threads);
  Error error = impl->instantiate();
  if (error)
    impl->options.threads = before;
  return error;
}

Expected<std::vector<CompiledModel::StepTime>> CompiledModel::profile() const {
  qd_profile raw = {};
  qd_status status = impl->file->profile(impl->instance, &raw);
  if (status != QD_OK)
    return createStringError("model '" + impl->path +
                             "' was loaded without profile");
  std::vector<StepTime> steps;
  for (uint32_t i = 0; i < raw.num_steps; ++i)
    steps.push_back({impl->file->info->step_names[i],
                     raw.runs ? raw.step_nanoseconds[i] * 1e-6 / raw.runs : 0});
  return steps;
}
