// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Nothing is converted silently: a float64 file for a float32 input is an
// error. Inputs of half precision take float32 files, rounded.

#include "ModelInputs.h"
#include "QDialect/Support/InputSource.h"
#include "QDialect/Support/Npy.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <optional>

using namespace llvm;
using namespace qdialect;

namespace {

class Binder {
public:
  explicit Binder(ArrayRef<TensorSpec> specs)
      : specs(specs), bound(specs.size()) {}

  Error bindFile(StringRef argument);
  Error bindNamed(StringRef name, StringRef file, HostTensor tensor);
  Expected<std::vector<HostTensor>> finish();

private:
  std::string known() const {
    return join(map_range(specs, [](const TensorSpec &s) { return s.name; }),
                ", ");
  }
  Error bind(size_t index, StringRef file, HostTensor tensor);

  ArrayRef<TensorSpec> specs;
  std::vector<std::optional<HostTensor>> bound;
};

Error Binder::bind(size_t index, StringRef file, HostTensor tensor) {
  const TensorSpec &spec = specs[index];
  if (bound[index])
    return createStringError("input '" + spec.name + "' is given twice");
  if (takesElements(spec.type, tensor.type()))
    tensor = tensor.converted(spec.type);
  if (!spec.fits(tensor))
    return createStringError("input '" + spec.name + "' is " + spec.describe() +
                             ", file '" + file + "' holds " +
                             describe(tensor.type(), tensor.shape()));
  bound[index] = std::move(tensor);
  return Error::success();
}

Error Binder::bindNamed(StringRef name, StringRef file, HostTensor tensor) {
  const TensorSpec *spec =
      find_if(specs, [&](const TensorSpec &s) { return s.name == name; });
  if (spec == specs.end())
    return createStringError("the model has no input '" + name +
                             "'; its inputs: " + known());
  return bind(spec - specs.begin(), file, std::move(tensor));
}

Error Binder::bindFile(StringRef argument) {
  // A name may hold '=' only in its file part: input names rarely do, paths
  // may.
  auto [name, file] = argument.split('=');
  bool named = !file.empty();
  if (!named)
    file = argument;
  if (file.ends_with(".npz") && !named) {
    auto arrays = readNpz(file);
    if (!arrays)
      return arrays.takeError();
    for (auto &[arrayName, tensor] : *arrays)
      if (Error error = bindNamed(arrayName, file, std::move(tensor)))
        return error;
    return Error::success();
  }
  Expected<HostTensor> tensor = readNpy(file);
  if (!tensor)
    return tensor.takeError();
  if (named)
    return bindNamed(name, file, std::move(*tensor));
  size_t free = 0;
  while (free < bound.size() && bound[free])
    ++free;
  if (free == bound.size())
    return createStringError("file '" + file + "' is one more than the " +
                             Twine(specs.size()) + " inputs of the model");
  return bind(free, file, std::move(*tensor));
}

Expected<std::vector<HostTensor>> Binder::finish() {
  std::vector<HostTensor> tensors;
  for (auto [spec, tensor] : zip(specs, bound)) {
    if (!tensor)
      return createStringError("input '" + spec.name + "' (" + spec.describe() +
                               ") is not given");
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

} // namespace

Expected<std::vector<HostTensor>>
qdialect::bindInputs(ArrayRef<TensorSpec> specs,
                     ArrayRef<std::string> arguments) {
  Binder binder(specs);
  for (const std::string &argument : arguments)
    if (Error error = binder.bindFile(argument))
      return std::move(error);
  return binder.finish();
}

/// A symbolic size as the caller wants it.
static int64_t chosenSize(StringRef name, ArrayRef<SymbolSpec> symbols,
                          ArrayRef<std::string> sizes) {
  for (StringRef text : sizes) {
    auto [key, number] = text.rsplit('=');
    int64_t size = 0;
    if (key == name && !number.getAsInteger(10, size) && size >= 1)
      return size;
  }
  for (const SymbolSpec &symbol : symbols)
    if (symbol.name == name)
      return symbol.low;
  return 1;
}

std::vector<HostTensor> qdialect::syntheticInputs(ArrayRef<TensorSpec> specs,
                                                  ArrayRef<SymbolSpec> symbols,
                                                  ArrayRef<std::string> sizes) {
  std::vector<HostTensor> tensors;
  uint32_t state = 1;
  auto next = [&] { // the generator of C's example rand()
    state = state * 1103515245u + 12345u;
    return state >> 8;
  };
  for (const TensorSpec &spec : specs) {
    std::vector<int64_t> shape = spec.shape;
    for (size_t axis = 0; axis < shape.size(); ++axis)
      if (shape[axis] < 0)
        shape[axis] = chosenSize(spec.dimNames[axis], symbols, sizes);
    HostTensor tensor(spec.type, shape);
    char *bytes = tensor.mutableBytes();
    if (spec.type == DType::F32)
      for (int64_t i = 0; i < tensor.size(); ++i)
        tensor.mutableData<float>()[i] = next() * 0x1p-24f;
    else if (spec.type == DType::I1)
      for (size_t i = 0; i < tensor.sizeInBytes(); ++i)
        bytes[i] = next() & 1;
    // Other floats stay zero, and wide integers: they are indices and sizes.
    else if (!isFloat(spec.type) && byteWidth(spec.type) == 1)
      for (size_t i = 0; i < tensor.sizeInBytes(); ++i)
        bytes[i] = static_cast<char>(next());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}
