// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes random QDQ programs; see the header.

#include "RandomIsland.h"

#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using llvm::formatv;

namespace qdialect::test {

using Shape = std::vector<int64_t>;

static std::string typeOf(const Shape &shape, const std::string &element) {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text + element + ">";
}

static int64_t product(const Shape &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

/// A float constant that the parser reads back bit for bit.
static std::string exact(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return formatv("0x{0:X-8}", bits).str();
}

class IslandBuilder {
public:
  IslandBuilder(uint32_t seed, unsigned bits) : random(seed), bits(bits) {}
  RandomIsland build();

private:
  int64_t pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  }
  bool flip() { return pick(0, 1) == 1; }
  float real(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random);
  }
  std::string fresh() { return "%v" + std::to_string(next++); }
  void line(const std::string &text) { out.body += "  " + text + "\n"; }
  int64_t numCodes() const { return int64_t(1) << bits; }
  int64_t lowest(bool isUnsigned) const {
    return isUnsigned ? 0 : -numCodes() / 2;
  }
  std::string codeType(bool isUnsigned) const {
    std::string width = std::to_string(bits);
    return isUnsigned ? "!qd.uint<" + width + ">" : "i" + width;
  }

  std::string scaleConstant(float scale);
  std::string zeroConstant(int64_t zero);
  std::string floats(const Shape &shape, std::vector<float> values);
  /// An activation: a function argument of random codes, dequantized. `scale`
  /// is that of 8-bit codes of the same range.
  std::string activation(const Shape &shape, float &scale);
  std::string weight(const Shape &shape, const Shape &scaleShape,
                     float &typical);
  std::string filled(const Shape &shape, const std::string &value);
  std::string padded(const std::string &value, Shape &shape, int64_t low,
                     int64_t high, const std::string &with);
  std::string elementwise(const Shape &shape,
                          const std::vector<std::string> &values,
                          const std::vector<std::string> &types,
                          const std::vector<std::string> &maps,
                          const std::string &payload);
  std::string biasAndClamp(const std::string &value, const Shape &shape,
                           float step, int64_t channels);
  void finish(const std::string &value, const Shape &shape, float range);

  void convolution(bool depthwise);
  void grouped();
  void matmul();
  void sum();
  void multiply();
  void concat();
  void pool(bool max);
  void unary();
  void affine();

  std::mt19937 random;
  unsigned bits; ///< of activations
  RandomIsland out;
  int next = 0;
};

std::string IslandBuilder::scaleConstant(float scale) {
  std::string name = fresh();
  line(name + " = arith.constant dense<" + exact(scale) + "> : tensor<f32>");
  return name;
}

std::string IslandBuilder::zeroConstant(int64_t zero) {
  std::string name = fresh();
  line(name + " = arith.constant dense<" + std::to_string(zero) +
       "> : tensor<i32>");
  return name;
}

std::string IslandBuilder::floats(const Shape &shape,
                                  std::vector<float> values) {
  std::string hex = "\"0x";
  for (float value : values) {
    uint8_t bytes[4];
    std::memcpy(bytes, &value, 4);
    for (uint8_t byte : bytes)
      hex += formatv("{0:X-2}", byte).str();
  }
  std::string name = fresh();
  line(name + " = arith.constant dense<" +
       (values.size() == 1 ? exact(values[0]) : hex + "\"") +
       "> : " + typeOf(shape, "f32"));
  return name;
}

std::string IslandBuilder::activation(const Shape &shape, float &scale) {
  bool isUnsigned = flip();
  int64_t min = lowest(isUnsigned), max = min + numCodes() - 1;
  int64_t zero = pick(0, 5) == 0 ? (flip() ? min : max) : pick(min, max);
  scale = real(0.004f, 0.2f);
  std::string element = codeType(isUnsigned);
  std::string argument = "%arg" + std::to_string(out.inputs.size());
  if (!out.arguments.empty())
    out.arguments += ", ";
  out.arguments += argument + ": " + typeOf(shape, element);
  DType type = bits == 8 ? (isUnsigned ? DType::U8 : DType::I8)
                         : (isUnsigned ? DType::U16 : DType::I16);
  HostTensor codes(type, shape);
  // One in four at an end of the alphabet: what bounds are made of.
  auto code = [&] { return pick(0, 3) ? pick(min, max) : flip() ? min : max; };
  for (int64_t i = 0; i < codes.size(); ++i)
    if (bits == 8)
      codes.mutableData<uint8_t>()[i] = static_cast<uint8_t>(code());
    else
      codes.mutableData<uint16_t>()[i] = static_cast<uint16_t>(code());
  out.inputs.push_back(codes);
  std::string s = scaleConstant(scale * 256 / numCodes()),
              z = zeroConstant(zero), name = fresh();
  line(name + " = qd.dequantize " + argument + " scale " + s + " zero_point " +
       z + " : " + typeOf(shape, element) + ", tensor<f32>, tensor<i32> -> " +
       typeOf(shape, "f32"));
  return name;
}

/// Weights of `scaleShape` (1 or the dimension's size) many scales; sometimes
/// unsigned, sometimes with a zero point.
std::string IslandBuilder::weight(const Shape &shape, const Shape &scaleShape,
                                  float &typical) {
  bool isUnsigned = pick(0, 2) == 0;
  int64_t zero = isUnsigned ? 128 : pick(0, 2) == 0 ? pick(-4, 4) : 0;
  bool perChannel = product(scaleShape) > 1 && flip();
  // A channel of zeros with next to no scale: its bias has no step to fit in.
  bool dead = perChannel && scaleShape.back() > 1 && pick(0, 3) == 0;
  // A resource: alignment 1, then a byte a code.
  std::string hex = "\"0x01000000";
  for (int64_t i = 0, e = product(shape); i < e; ++i) {
    int64_t code = dead && i % shape.back() == 0 ? 0 : pick(-120, 120);
    hex += formatv("{0:X-2}", static_cast<uint8_t>(code + zero));
  }
  std::string codes = fresh(), name = fresh();
  std::string resource = "w" + codes.substr(1);
  std::string code = isUnsigned ? "!qd.uint<8>" : "i8";
  typical = real(0.001f, 0.02f);
  out.resources += (out.resources.empty() ? "" : ",") +
                   ("\n      " + resource) + ": " + hex + "\"";
  line(codes + " = arith.constant dense_resource<" + resource +
       "> : " + typeOf(shape, code));
  if (!perChannel) {
    std::string s = scaleConstant(typical), z = zeroConstant(zero);
    line(name + " = qd.dequantize " + codes + " scale " + s + " zero_point " +
         z + " : " + typeOf(shape, code) + ", tensor<f32>, tensor<i32> -> " +
         typeOf(shape, "f32"));
    return name;
  }
  std::vector<float> scales(product(scaleShape));
  for (float &scale : scales)
    scale = typical * real(0.3f, 2.0f);
  if (dead)
    scales[0] = 1e-12f;
  std::string s = floats(scaleShape, scales);
  std::string z = fresh();
  line(z + " = arith.constant dense<" + std::to_string(zero) +
       "> : " + typeOf(scaleShape, "i32"));
  std::string blocks;
  for (int64_t size : scaleShape)
    blocks += std::string(blocks.empty() ? "" : ", ") + (size > 1 ? "1" : "0");
  line(name + " = qd.dequantize " + codes + " scale " + s + " zero_point " + z +
       " block_sizes = [" + blocks + "] : " + typeOf(shape, code) + ", " +
       typeOf(scaleShape, "f32") + ", " + typeOf(scaleShape, "i32") + " -> " +
       typeOf(shape, "f32"));
  return name;
}

std::string IslandBuilder::filled(const Shape &shape,
                                  const std::string &value) {
  std::string c = fresh(), e = fresh(), f = fresh();
  std::string type = typeOf(shape, "f32");
  line(c + " = arith.constant " + value + " : f32");
  line(e + " = tensor.empty() : " + type);
  line(f + " = linalg.fill ins(" + c + " : f32) outs(" + e + " : " + type +
       ") -> " + type);
  return f;
}

/// Pads the two image dimensions of an NHWC tensor.
std::string IslandBuilder::padded(const std::string &value, Shape &shape,
                                  int64_t low, int64_t high,
                                  const std::string &with) {
  if (low + high == 0)
    return value;
  Shape result = shape;
  result[1] += low + high;
  result[2] += low + high;
  std::string c = fresh(), name = fresh();
  line(c + " = arith.constant " + with + " : f32");
  line(formatv("{0} = tensor.pad {1} low[0, {2}, {2}, 0] high[0, {3}, {3}, 0] "
               "{{\n  ^bb0(%i: index, %j: index, %k: index, %l: index):\n    "
               "tensor.yield {4} : f32\n  } : {5} to {6}",
               name, value, low, high, c, typeOf(shape, "f32"),
               typeOf(result, "f32"))
           .str());
  shape = result;
  return name;
}

std::string IslandBuilder::elementwise(const Shape &shape,
                                       const std::vector<std::string> &values,
                                       const std::vector<std::string> &types,
                                       const std::vector<std::string> &maps,
                                       const std::string &payload) {
  std::string dims, iterators, mapText, ins, inTypes, args;
  for (size_t d = 0; d < shape.size(); ++d) {
    dims += (d ? ", d" : "d") + std::to_string(d);
    iterators += d ? ", \"parallel\"" : "\"parallel\"";
  }
  for (size_t i = 0; i < values.size(); ++i) {
    mapText += "affine_map<(" + dims + ") -> (" +
               (maps[i] == "*" ? dims : maps[i]) + ")>, ";
    ins += (i ? ", " : "") + values[i];
    inTypes += (i ? ", " : "") + types[i];
    args += "%x" + std::to_string(i) + ": f32, ";
  }
  mapText += "affine_map<(" + dims + ") -> (" + dims + ")>";
  std::string empty = fresh(), name = fresh(), type = typeOf(shape, "f32");
  line(empty + " = tensor.empty() : " + type);
  line(name + " = linalg.generic {indexing_maps = [" + mapText +
       "], iterator_types = [" + iterators + "]} ins(" + ins + " : " + inTypes +
       ") outs(" + empty + " : " + type + ") {\n  ^bb0(" + args +
       "%o: f32):\n" + payload + "  } -> " + type);
  return name;
}

/// Perhaps a factor per channel, a bias per channel (floats, or i32 codes at
/// the accumulator's scale), a relu or a clip.
std::string IslandBuilder::biasAndClamp(const std::string &value,
                                        const Shape &shape, float step,
                                        int64_t channels) {
  std::string result = value, type = typeOf(shape, "f32");
  std::string last = "d" + std::to_string(shape.size() - 1);
  if (pick(0, 3) == 0) {
    std::vector<float> factors(channels);
    for (float &f : factors)
      f = real(0.5f, 2.0f);
    std::string f = floats({channels}, factors);
    result = elementwise(shape, {result, f}, {type, typeOf({channels}, "f32")},
                         {"*", last},
                         "    %s = arith.mulf %x0, %x1 : f32\n"
                         "    linalg.yield %s : f32\n");
  }
  int64_t bias = pick(0, 2);
  if (bias == 1) {
    std::vector<float> values(channels);
    for (float &b : values)
      b = real(-3.0f, 3.0f);
    std::string b = floats({channels}, values);
    result = elementwise(shape, {result, b}, {type, typeOf({channels}, "f32")},
                         {"*", last},
                         "    %s = arith.addf %x0, %x1 : f32\n"
                         "    linalg.yield %s : f32\n");
  } else if (bias == 2) {
    std::string codes = fresh(), b = fresh(), list;
    for (int64_t i = 0; i < channels; ++i)
      list += (i ? ", " : "") + std::to_string(pick(-5000, 5000));
    line(codes + " = arith.constant dense<[" + list +
         "]> : " + typeOf({channels}, "i32"));
    std::string s = scaleConstant(step);
    line(b + " = qd.dequantize " + codes + " scale " + s + " : " +
         typeOf({channels}, "i32") + ", tensor<f32> -> " +
         typeOf({channels}, "f32"));
    result = elementwise(shape, {result, b}, {type, typeOf({channels}, "f32")},
                         {"*", last},
                         "    %s = arith.addf %x0, %x1 : f32\n"
                         "    linalg.yield %s : f32\n");
  }
  int64_t clamp = pick(0, 2);
  if (clamp == 0)
    return result;
  std::string payload = "    %c0 = arith.constant 0.0 : f32\n"
                        "    %r = arith.maximumf %x0, %c0 : f32\n";
  if (clamp == 2)
    payload += "    %c6 = arith.constant " + exact(real(0.5f, 6.0f)) +
               " : f32\n    %t = arith.minimumf %r, %c6 : f32\n"
               "    linalg.yield %t : f32\n";
  else
    payload += "    linalg.yield %r : f32\n";
  return elementwise(shape, {result}, {type}, {"*"}, payload);
}

void IslandBuilder::finish(const std::string &value, const Shape &shape,
                           float range) {
  bool isUnsigned = flip();
  int64_t min = lowest(isUnsigned), max = min + numCodes() - 1;
  out.zeroPoint = static_cast<int32_t>(pick(0, 4) == 0 ? min : pick(min, max));
  out.scale = range * real(0.3f, 1.2f) * 2 / numCodes();
  std::string code = codeType(isUnsigned);
  std::string s = scaleConstant(out.scale), z = zeroConstant(out.zeroPoint);
  out.codes = fresh();
  out.real = value;
  out.realType = typeOf(shape, "f32");
  out.codeType = typeOf(shape, code);
  line(out.codes + " = qd.quantize " + value + " scale " + s + " zero_point " +
       z + " rounding(half_even) overflow(saturate) : " + out.realType +
       ", tensor<f32>, tensor<i32> -> " + out.codeType);
}

void IslandBuilder::convolution(bool depthwise) {
  int64_t kernel = pick(1, 3), stride = pick(1, 2), dilation = pick(1, 2);
  int64_t inputs = pick(1, 5), outputs = depthwise ? inputs : pick(1, 6);
  Shape image{pick(1, 2), pick(5, 8), pick(5, 8), inputs};
  float sx, sw;
  std::string x = activation(image, sx);
  x = padded(x, image, pick(0, 1), pick(0, 2), "0.0");
  Shape filter = depthwise ? Shape{kernel, kernel, inputs}
                           : Shape{kernel, kernel, inputs, outputs};
  Shape scales(filter.size(), 1);
  scales.back() = outputs;
  std::string w = weight(filter, scales, sw);
  auto extent = [&](int64_t size) {
    return (size - (kernel - 1) * dilation - 1) / stride + 1;
  };
  Shape result{image[0], extent(image[1]), extent(image[2]), outputs};
  std::string init = filled(result, "0.0"), y = fresh();
  std::string type = typeOf(result, "f32");
  line(formatv("{0} = linalg.{1} {{strides = dense<{2}> : tensor<2xi64>, "
               "dilations = dense<{3}> : tensor<2xi64>} ins({4}, {5} : {6}, "
               "{7}) outs({8} : {9}) -> {9}",
               y,
               depthwise ? "depthwise_conv_2d_nhwc_hwc" : "conv_2d_nhwc_hwcf",
               stride, dilation, x, w, typeOf(image, "f32"),
               typeOf(filter, "f32"), init, type)
           .str());
  y = biasAndClamp(y, result, sx * sw, outputs);
  finish(y, result,
         sx * sw * 128 * 64 *
             std::sqrt(kernel * kernel * (depthwise ? 1.f : inputs)));
}

void IslandBuilder::grouped() {
  int64_t groups = pick(1, 3), inputs = pick(1, 4), outputs = pick(1, 4);
  int64_t kernel = pick(1, 3);
  Shape image{1, pick(3, 6), pick(3, 6), groups, inputs};
  Shape filter{kernel, kernel, groups, inputs, outputs};
  float sx, sw;
  std::string x = activation(image, sx);
  std::string w = weight(filter, {1, 1, groups, 1, outputs}, sw);
  Shape result{1, image[1] - kernel + 1, image[2] - kernel + 1, groups,
               outputs};
  std::string init = filled(result, "0.0"), y = fresh();
  line(y +
       " = linalg.generic {indexing_maps = ["
       "affine_map<(n, y, x, g, f, u, v, c) -> (n, y + u, x + v, g, c)>, "
       "affine_map<(n, y, x, g, f, u, v, c) -> (u, v, g, c, f)>, "
       "affine_map<(n, y, x, g, f, u, v, c) -> (n, y, x, g, f)>], "
       "iterator_types = [\"parallel\", \"parallel\", \"parallel\", "
       "\"parallel\", \"parallel\", \"reduction\", \"reduction\", "
       "\"reduction\"]} ins(" +
       x + ", " + w + " : " + typeOf(image, "f32") + ", " +
       typeOf(filter, "f32") + ") outs(" + init + " : " +
       typeOf(result, "f32") +
       ") {\n  ^bb0(%a: f32, %b: f32, %o: f32):\n"
       "    %m = arith.mulf %a, %b : f32\n    %s = arith.addf %o, %m : f32\n"
       "    linalg.yield %s : f32\n  } -> " +
       typeOf(result, "f32"));
  finish(y, result, sx * sw * 128 * 64 * std::sqrt(kernel * kernel * inputs));
}

void IslandBuilder::matmul() {
  // Long sums of wide codes do not fit 32 bits.
  int64_t depth = bits > 8 && flip() ? pick(600, 900) : pick(1, 40);
  Shape a{pick(1, 5), depth}, b{a[1], pick(1, 9)}, c{a[0], b[1]};
  bool transposed = flip();
  Shape stored = transposed ? Shape{b[1], b[0]} : b;
  float sx, sw;
  std::string x = activation(a, sx);
  std::string w =
      weight(stored, transposed ? Shape{b[1], 1} : Shape{1, b[1]}, sw);
  std::string maps = transposed
                         ? " indexing_maps = [affine_map<(m, n, k) -> (m, k)>, "
                           "affine_map<(m, n, k) -> (n, k)>, "
                           "affine_map<(m, n, k) -> (m, n)>]"
                         : "";
  std::string init = filled(c, "0.0"), y = fresh();
  line(y + " = linalg.matmul" + maps + " ins(" + x + ", " + w + " : " +
       typeOf(a, "f32") + ", " + typeOf(stored, "f32") + ") outs(" + init +
       " : " + typeOf(c, "f32") + ") -> " + typeOf(c, "f32"));
  y = biasAndClamp(y, c, sx * sw, c[1]);
  finish(y, c, sx * sw * 128 * 64 * std::sqrt(static_cast<float>(a[1])));
}

void IslandBuilder::sum() {
  Shape shape{1, pick(1, 6), pick(1, 6), pick(1, 9)};
  float sa, sb;
  std::string a = activation(shape, sa), b = activation(shape, sb);
  std::string type = typeOf(shape, "f32");
  std::string op = flip() ? "arith.addf" : "arith.subf";
  std::string y = elementwise(shape, {a, b}, {type, type}, {"*", "*"},
                              "    %s = " + op +
                                  " %x0, %x1 : f32\n"
                                  "    linalg.yield %s : f32\n");
  y = biasAndClamp(y, shape, 0.01f, shape[3]);
  finish(y, shape, 128 * (sa + sb));
}

/// x * gate, the gate one number a channel (squeeze and excite) or full.
void IslandBuilder::multiply() {
  Shape shape{1, pick(1, 6), pick(1, 6), pick(1, 9)};
  float sa, sb;
  bool gate = flip();
  Shape other = gate ? Shape{1, shape[3]} : shape;
  std::string a = activation(shape, sa), b = activation(other, sb);
  std::string y = elementwise(
      shape, {a, b}, {typeOf(shape, "f32"), typeOf(other, "f32")},
      {"*", gate ? "d0, d3" : "*"},
      "    %s = arith.mulf %x0, %x1 : f32\n    linalg.yield %s : f32\n");
  finish(y, shape, 128 * sa * 128 * sb);
}

void IslandBuilder::concat() {
  Shape a{1, 3, pick(1, 4), pick(1, 5)}, b = a;
  b[3] = pick(1, 5);
  float sa, sb;
  std::string x = activation(a, sa), y = activation(b, sb), name = fresh();
  Shape result = a;
  result[3] += b[3];
  line(name + " = tensor.concat dim(3) " + x + ", " + y + " : (" +
       typeOf(a, "f32") + ", " + typeOf(b, "f32") + ") -> " +
       typeOf(result, "f32"));
  finish(name, result, 128 * std::max(sa, sb));
}

void IslandBuilder::pool(bool max) {
  int64_t kernel = pick(1, 3), stride = pick(1, 2);
  Shape image{1, pick(4, 7), pick(4, 7), pick(1, 5)};
  float sx;
  std::string x = activation(image, sx);
  if (flip())
    x = padded(x, image, pick(0, 1), pick(0, 1), max ? "0xFF800000" : "0.0");
  Shape result{1, (image[1] - kernel) / stride + 1,
               (image[2] - kernel) / stride + 1, image[3]};
  std::string init = filled(result, max ? "0xFF800000" : "0.0");
  std::string window = fresh(), y = fresh(), type = typeOf(result, "f32");
  line(window + " = tensor.empty() : " + typeOf({kernel, kernel}, "f32"));
  line(formatv("{0} = linalg.pooling_nhwc_{1} {{strides = dense<{2}> : "
               "tensor<2xi64>, dilations = dense<1> : tensor<2xi64>} ins({3}, "
               "{4} : {5}, {6}) outs({7} : {8}) -> {8}",
               y, max ? "max" : "sum", stride, x, window, typeOf(image, "f32"),
               typeOf({kernel, kernel}, "f32"), init, type)
           .str());
  if (!max)
    y = elementwise(result, {y}, {type}, {"*"},
                    "    %n = arith.constant " +
                        std::to_string(kernel * kernel) +
                        ".0 : f32\n    %s = arith.divf %x0, %n : f32\n"
                        "    linalg.yield %s : f32\n");
  finish(y, result, 128 * sx);
}

void IslandBuilder::unary() {
  Shape shape{2, pick(1, 70)};
  float sx;
  std::string x = activation(shape, sx);
  static const char *const payloads[] = {
      "    %s = math.tanh %x0 : f32\n",
      "    %t = math.exp %x0 : f32\n    %c1 = arith.constant 1.0 : f32\n"
      "    %u = arith.addf %t, %c1 : f32\n    %s = arith.divf %t, %u : f32\n",
      "    %c3 = arith.constant 3.0 : f32\n    %t = arith.addf %x0, %c3 : f32\n"
      "    %c0 = arith.constant 0.0 : f32\n"
      "    %u = arith.maximumf %t, %c0 : f32\n"
      "    %c6 = arith.constant 6.0 : f32\n"
      "    %v = arith.minimumf %u, %c6 : f32\n"
      "    %w = arith.mulf %x0, %v : f32\n    %s = arith.divf %w, %c6 : f32\n",
      "    %c = arith.constant 0.01 : f32\n    %t = arith.mulf %x0, %c : f32\n"
      "    %s = arith.maximumf %x0, %t : f32\n",
      "    %c = arith.constant 1.0 : f32\n    %s = arith.mulf %x0, %c : f32\n",
  };
  std::string y = elementwise(shape, {x}, {typeOf(shape, "f32")}, {"*"},
                              std::string(payloads[pick(0, 4)]) +
                                  "    linalg.yield %s : f32\n");
  finish(y, shape, flip() ? 1.0f : 128 * sx);
}

/// x * a[c] + b[c]
void IslandBuilder::affine() {
  Shape shape{1, pick(1, 4), pick(1, 4), pick(2, 9)};
  float sx;
  std::string x = activation(shape, sx);
  std::vector<float> a(shape[3]), b(shape[3]);
  for (int64_t i = 0; i < shape[3]; ++i) {
    a[i] = real(0.2f, 2.0f);
    b[i] = real(-2.0f, 2.0f);
  }
  std::string ca = floats({shape[3]}, a), cb = floats({shape[3]}, b);
  std::string vector = typeOf({shape[3]}, "f32");
  std::string y =
      elementwise(shape, {x, ca, cb}, {typeOf(shape, "f32"), vector, vector},
                  {"*", "d3", "d3"},
                  "    %m = arith.mulf %x0, %x1 : f32\n"
                  "    %s = arith.addf %m, %x2 : f32\n"
                  "    linalg.yield %s : f32\n");
  finish(y, shape, 128 * sx);
}

RandomIsland IslandBuilder::build() {
  static const char *const kinds[] = {
      "conv",   "depthwise", "grouped", "matmul", "sum",   "multiply",
      "concat", "maxpool",   "average", "unary",  "affine"};
  int64_t kind = pick(0, 10);
  out.kind = kinds[kind];
  switch (kind) {
  case 0:
    convolution(false);
    break;
  case 1:
    convolution(true);
    break;
  case 2:
    grouped();
    break;
  case 3:
    matmul();
    break;
  case 4:
    sum();
    break;
  case 5:
    multiply();
    break;
  case 6:
    concat();
    break;
  case 7:
    pool(true);
    break;
  case 8:
    pool(false);
    break;
  case 9:
    unary();
    break;
  default:
    affine();
  }
  return std::move(out);
}

std::string RandomIsland::text(bool exposeReal) const {
  std::string results = codeType, values = codes;
  if (exposeReal) {
    results = "(" + codeType + ", " + realType + ")";
    values += ", " + real;
  }
  return "func.func @main(" + arguments + ") -> " + results + " {\n" + body +
         "  return " + values + " : " + codeType +
         (exposeReal ? ", " + realType : "") + "\n}\n" +
         (resources.empty() ? ""
                            : "{-#\n  dialect_resources: {\n    builtin: {" +
                                  resources + "\n    }\n  }\n#-}\n");
}

RandomIsland makeRandomIsland(uint32_t seed, unsigned bits) {
  return IslandBuilder(seed, bits).build();
}

} // namespace qdialect::test
