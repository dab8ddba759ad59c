// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The --input arguments of an interpreted program.

#include "InterpretProgram.h"
#include "QDialect/Support/Npy.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace llvm;
using namespace qdialect;

static Expected<HostTensor> parseLiteral(StringRef text,
                                         const InputSpec &spec) {
  if (is_contained(spec.shape, -1))
    return createStringError("input '" + spec.name + "' has symbolic sizes (" +
                             describe(spec.type, spec.shape) +
                             "): numbers need the shape of a .npy file");
  HostTensor tensor(DType::F64, spec.shape);
  HostTensor integers(DType::I64, spec.shape);
  text.consume_front("dense<");
  SmallVector<StringRef> words;
  text.trim("<> ").split(words, ',', -1, /*KeepEmpty=*/false);
  std::vector<double> numbers;
  std::vector<int64_t> whole;
  for (StringRef word : words) {
    word = word.trim("[] \t\n");
    if (word.empty())
      continue;
    if (word == "true" || word == "false")
      word = word == "true" ? "1" : "0";
    double number;
    int64_t integer;
    bool isInteger = !word.getAsInteger(0, integer);
    if (!isInteger && word.getAsDouble(number))
      return createStringError("input '" + spec.name + "': '" + word +
                               "' is no number");
    numbers.push_back(isInteger ? double(integer) : number);
    whole.push_back(isInteger ? integer : 0);
    if (!isInteger && !isFloat(spec.type))
      return createStringError("input '" + spec.name + "': '" + word +
                               "' is no integer");
  }
  bool splat = numbers.size() == 1;
  if (!splat && int64_t(numbers.size()) != tensor.size())
    return createStringError("input '" + spec.name + "' wants " +
                             Twine(tensor.size()) + " elements, got " +
                             Twine(numbers.size()));
  // Integers of 64 bits do not go through a double.
  double *number = tensor.mutableData<double>();
  int64_t *integer = integers.mutableData<int64_t>();
  for (int64_t i = 0, e = tensor.size(); i < e; ++i) {
    number[i] = numbers[splat ? 0 : i];
    integer[i] = whole[splat ? 0 : i];
  }
  return (isFloat(spec.type) ? tensor : integers).converted(spec.type);
}

static Error checkType(const InputSpec &spec, const HostTensor &tensor,
                       StringRef file) {
  bool fits =
      spec.type == tensor.type() &&
      spec.shape.size() == tensor.shape().size() &&
      all_of(zip(spec.shape, tensor.shape()), [](auto pair) {
        return std::get<0>(pair) < 0 || std::get<0>(pair) == std::get<1>(pair);
      });
  if (fits)
    return Error::success();
  return createStringError(
      "input '" + spec.name + "' wants " + describe(spec.type, spec.shape) +
      ", '" + file + "' holds " + describe(tensor.type(), tensor.shape()));
}

Expected<std::vector<HostTensor>>
qdialect::bindProgramInputs(ArrayRef<InputSpec> specs,
                            ArrayRef<std::string> arguments) {
  std::vector<std::optional<HostTensor>> bound(specs.size());
  auto indexOf = [&](StringRef name) {
    return find_if(specs, [&](const InputSpec &s) { return s.name == name; }) -
           specs.begin();
  };
  for (StringRef argument : arguments) {
    auto [name, value] = argument.split('=');
    // A literal may hold '=' nowhere, a path may: the name wins.
    bool named = value.data() != nullptr && !value.empty();
    if (!named)
      value = argument;
    if (!named && value.ends_with(".npz")) {
      auto arrays = readNpz(value);
      if (!arrays)
        return arrays.takeError();
      for (auto &[key, tensor] : *arrays) {
        size_t index = indexOf(key);
        if (index == specs.size())
          return createStringError("'" + value +
                                   "': the program has no input '" + key + "'");
        if (Error error = checkType(specs[index], tensor, value))
          return std::move(error);
        bound[index] = tensor;
      }
      continue;
    }
    size_t index = named ? size_t(indexOf(name))
                         : find(bound, std::nullopt) - bound.begin();
    if (index == specs.size())
      return createStringError(
          named ? "the program has no input '" + name + "'"
                : Twine("more inputs than the program has (") +
                      Twine(specs.size()) + ")");
    const InputSpec &spec = specs[index];
    Expected<HostTensor> tensor =
        value.ends_with(".npy") ? readNpy(value) : parseLiteral(value, spec);
    if (!tensor)
      return tensor.takeError();
    if (Error error = checkType(spec, *tensor, value))
      return std::move(error);
    bound[index] = std::move(*tensor);
  }
  std::vector<HostTensor> tensors;
  for (auto [spec, tensor] : zip_equal(specs, bound)) {
    if (!tensor)
      return createStringError("no data for input '" + spec.name + "' (" +
                               describe(spec.type, spec.shape) +
                               "): give --input " + spec.name + "=FILE.npy");
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}
