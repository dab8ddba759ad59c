// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ex2, lg2, sin, cos, tanh, rsqrt, and the approximate forms of rcp and sqrt.
//
// The hardware's results differ from the exact ones by a few ulp, which the
// PTX ISA bounds and does not define. Here the value is that of the host's f64
// function, rounded once to the type: the nearest there is. A kernel that must
// give the same bits on hardware does not use these.

#include "Decoder.h"
#include "FloatFormats.h"
#include "Lanes.h"

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
constexpr uint32_t kFtz = 1;

struct Ex2 {
  static double apply(double x) { return std::exp2(x); }
};
struct Lg2 {
  static double apply(double x) { return std::log2(x); }
};
struct Sin {
  static double apply(double x) { return std::sin(x); }
};
struct Cos {
  static double apply(double x) { return std::cos(x); }
};
struct Tanh {
  static double apply(double x) { return std::tanh(x); }
};
struct Rsqrt {
  static double apply(double x) { return 1 / std::sqrt(x); }
};
struct Rcp {
  static double apply(double x) { return 1 / x; }
};
struct Sqrt {
  static double apply(double x) { return std::sqrt(x); }
};

template <typename Op>
void single(Warp &w, const Inst &i, uint32_t mask) {
  bool ftz = i.aux & kFtz;
  forLanes(mask, [&](unsigned l) {
    float a = w.lanes<float>(i.op[1])[l];
    float r = canonical(static_cast<float>(Op::apply(ftz ? flush(a) : a)));
    w.lanes<float>(i.op[0])[l] = ftz ? flush(r) : r;
  });
}
/// Of the f64 forms the ISA keeps the upper 32 bits.
template <typename Op>
void upperDouble(Warp &w, const Inst &i, uint32_t mask) {
  forLanes(mask, [&](unsigned l) {
    double a = w.lanes<double>(i.op[1])[l];
    if (std::fpclassify(a) == FP_SUBNORMAL)
      a = std::copysign(0.0, a);
    double r = Op::apply(a);
    uint64_t bits = bitCast<uint64_t>(r) & ~uint64_t{0xffffffff};
    if (std::fpclassify(r) == FP_SUBNORMAL)
      bits &= uint64_t{1} << 63;
    w.lanes<double>(i.op[0])[l] = std::isnan(r) ? r : bitCast<double>(bits);
  });
}
template <typename Op, bool IsBf16, unsigned E>
void half(Warp &w, const Inst &i, uint32_t mask) {
  forLanes(mask, [&](unsigned lane) {
    for (unsigned k = lane * E; k < lane * E + E; ++k) {
      uint16_t a = w.lanes<uint16_t>(i.op[1])[k];
      double r = Op::apply(IsBf16 ? fromBfloat(a) : fromHalf(a));
      w.lanes<uint16_t>(i.op[0])[k] = IsBf16 ? toBfloat(r) : toHalf(r);
    }
  });
}

template <typename Op>
void decodeApproximate(Decoder &d) {
  Type t = d.type();
  d.simple(t, {t});
  if (!d.has("approx"))
    d.fail(".approx is needed");
  d.out.aux = d.has("ftz") ? kFtz : 0;
  switch (t) {
  case Type::F64:
    d.out.exec = upperDouble<Op>;
    break;
  case Type::F16:
    d.out.exec = half<Op, false, 1>;
    break;
  case Type::F16x2:
    d.out.exec = half<Op, false, 2>;
    break;
  case Type::BF16:
    d.out.exec = half<Op, true, 1>;
    break;
  case Type::BF16x2:
    d.out.exec = half<Op, true, 2>;
    break;
  default:
    d.out.exec = single<Op>;
  }
}
} // namespace

static const InstructionInfo kTable[] = {
    {"ex2", "f32 f16 f16x2 bf16 bf16x2", "approx ftz", InstructionClass::Float,
     decodeApproximate<Ex2>},
    {"lg2", "f32", "approx ftz", InstructionClass::Float,
     decodeApproximate<Lg2>},
    {"sin", "f32", "approx ftz", InstructionClass::Float,
     decodeApproximate<Sin>},
    {"cos", "f32", "approx ftz", InstructionClass::Float,
     decodeApproximate<Cos>},
    {"tanh", "f32 f16 f16x2 bf16 bf16x2", "approx", InstructionClass::Float,
     decodeApproximate<Tanh>},
    {"rsqrt", "f32 f64", "approx ftz", InstructionClass::Float,
     decodeApproximate<Rsqrt>},
    {"rcp", "f32 f64", "approx ftz", InstructionClass::Float,
     decodeApproximate<Rcp>},
    {"sqrt", "f32", "approx ftz", InstructionClass::Float,
     decodeApproximate<Sqrt>},
};

InstructionList ptx::approximateInstructions() { return kTable; }
