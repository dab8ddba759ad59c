// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of products over linear maps, recognised whatever the op is called, and
// given to Numerics' reference kernels. Same bits as the payload walk: the
// kernels add in the order of the reduction loops, integers wrap.
//   payload:  out + (ext(a) - za) * (ext(b) - zb)
//             with each ext absent or extsi / extui and zero points of codes

#include "QDialect/Numerics/ReferenceKernels.h"
#include "Structured.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace qdialect;
using namespace qdialect::interp;

namespace {
/// One factor: which input it is, and in which memory type its value extends to
/// the accumulator by a plain C++ conversion.
struct Factor {
  size_t input = 0;
  DType type = DType::F32;
  int64_t zeroPoint = 0;
};
} // namespace

/// Zero points for which code - zero point fits i16.
static constexpr int64_t kMaxZeroPoint = 30000;

static std::optional<Factor> factorOf(Value value, const Structured &s) {
  bool zeroExtends = false;
  bool extends = false;
  IntegerAttr zeroPoint;
  if (auto sub = value.getDefiningOp<arith::SubIOp>()) {
    if (!matchPattern(sub.getRhs(), m_Constant(&zeroPoint)) ||
        std::abs(zeroPoint.getInt()) > kMaxZeroPoint)
      return std::nullopt;
    value = sub.getLhs();
  }
  if (auto ext = value.getDefiningOp<arith::ExtSIOp>()) {
    value = ext.getIn();
    extends = true;
  } else if (auto ext = value.getDefiningOp<arith::ExtUIOp>()) {
    value = ext.getIn();
    extends = zeroExtends = true;
  }
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != s.op.getBlock() ||
      argument.getArgNumber() >= s.numInputs())
    return std::nullopt;
  const Element &element = s.elements[argument.getArgNumber()];
  Factor factor{argument.getArgNumber(), element.memory,
                zeroPoint ? zeroPoint.getInt() : 0};
  if (element.kind != Kind::I64) {
    bool plain = element.rounding == DType::F32 && !extends;
    return plain ? std::optional<Factor>(factor) : std::nullopt;
  }
  // Sub-byte codes sit in bytes whose high bits mean nothing: no plain load.
  if (element.bits != 8 * byteWidth(element.memory))
    return std::nullopt;
  if (zeroExtends && factor.type == DType::I8)
    factor.type = DType::U8;
  else if (zeroExtends)
    return std::nullopt;
  return factor;
}

/// The two factors if the payload is the sum of their product and the init.
static std::optional<std::pair<Factor, Factor>>
matchPayload(const Structured &s) {
  if (s.numInits() != 1)
    return std::nullopt;
  Block &block = *s.op.getBlock();
  Operation *add = block.getTerminator()->getOperand(0).getDefiningOp();
  BlockArgument init = block.getArgument(s.numInputs());
  if (!isa_and_nonnull<arith::AddIOp, arith::AddFOp>(add) || !init.hasOneUse())
    return std::nullopt;
  Value product;
  if (add->getOperand(0) == init)
    product = add->getOperand(1);
  else if (add->getOperand(1) == init)
    product = add->getOperand(0);
  Operation *mul = product ? product.getDefiningOp() : nullptr;
  if (!isa_and_nonnull<arith::MulIOp, arith::MulFOp>(mul))
    return std::nullopt;
  std::optional<Factor> lhs = factorOf(mul->getOperand(0), s);
  std::optional<Factor> rhs = factorOf(mul->getOperand(1), s);
  if (!lhs || !rhs)
    return std::nullopt;
  return std::make_pair(*lhs, *rhs);
}

template <typename Lhs, typename Rhs, typename Acc>
static HostTensor run(const Structured &s, const std::vector<LoopDim> &loops,
                      size_t lhs, size_t rhs) {
  HostTensor result = s.operands[s.numInputs()];
  Acc *out = result.mutableData<Acc>() + s.addresses[s.numInputs()].base;
  contract<Lhs, Rhs, Acc>(
      loops, s.operands[lhs].data<Lhs>() + s.addresses[lhs].base,
      s.operands[rhs].data<Rhs>() + s.addresses[rhs].base, out);
  return result;
}

/// The codes less their zero point.
static HostTensor centred(const HostTensor &codes, int64_t zeroPoint) {
  HostTensor result(DType::I16, codes.shape());
  for (int64_t i = 0, e = codes.size(); i < e; ++i)
    result.mutableData<int16_t>()[i] =
        static_cast<int16_t>(codes.data<int8_t>()[i] - zeroPoint);
  return result;
}

static std::optional<HostTensor> runCentred(const Structured &s,
                                            const std::vector<LoopDim> &loops,
                                            Factor lhs, Factor rhs) {
  size_t init = s.numInputs();
  if (lhs.type != DType::I8 || rhs.type != DType::I8 ||
      s.elements[init].memory != DType::I32)
    return std::nullopt;
  HostTensor a = centred(s.operands[lhs.input], lhs.zeroPoint);
  HostTensor b = centred(s.operands[rhs.input], rhs.zeroPoint);
  HostTensor result = s.operands[init];
  contract<int16_t, int16_t, int32_t>(
      loops, a.data<int16_t>() + s.addresses[lhs.input].base,
      b.data<int16_t>() + s.addresses[rhs.input].base,
      result.mutableData<int32_t>() + s.addresses[init].base);
  return result;
}

std::optional<HostTensor> interp::runContraction(const Structured &s) {
  auto factors = matchPayload(s);
  if (!factors)
    return std::nullopt;
  const Factor lhs = factors->first, rhs = factors->second;
  size_t init = s.numInputs();
  if (!s.addresses[lhs.input].linear || !s.addresses[rhs.input].linear ||
      !s.addresses[init].linear)
    return std::nullopt;
  const Element &acc = s.elements[init];
  if (acc.kind == Kind::F32 && acc.rounding != DType::F32)
    return std::nullopt;

  std::vector<LoopDim> loops;
  for (int64_t loop = 0; loop < s.numLoops(); ++loop)
    loops.push_back({s.sizes[loop], s.addresses[lhs.input].strides[loop],
                     s.addresses[rhs.input].strides[loop],
                     s.addresses[init].strides[loop]});
  // Empty operands may have no memory to point into.
  if (llvm::is_contained(s.sizes, 0))
    return s.operands[init];

  if (lhs.zeroPoint || rhs.zeroPoint)
    return runCentred(s, loops, lhs, rhs);
  auto is = [&](DType l, DType r, DType a) {
    return lhs.type == l && rhs.type == r && acc.memory == a;
  };
  size_t l = lhs.input, r = rhs.input;
  if (is(DType::F32, DType::F32, DType::F32))
    return run<float, float, float>(s, loops, l, r);
  if (is(DType::F64, DType::F64, DType::F64))
    return run<double, double, double>(s, loops, l, r);
  if (is(DType::I8, DType::I8, DType::I32))
    return run<int8_t, int8_t, int32_t>(s, loops, l, r);
  if (is(DType::U8, DType::I8, DType::I32))
    return run<uint8_t, int8_t, int32_t>(s, loops, l, r);
  if (is(DType::I8, DType::U8, DType::I32))
    return run<int8_t, uint8_t, int32_t>(s, loops, l, r);
  if (is(DType::U8, DType::U8, DType::I32))
    return run<uint8_t, uint8_t, int32_t>(s, loops, l, r);
  if (is(DType::I8, DType::I8, DType::I64))
    return run<int8_t, int8_t, int64_t>(s, loops, l, r);
  if (is(DType::I16, DType::I16, DType::I32))
    return run<int16_t, int16_t, int32_t>(s, loops, l, r);
  if (is(DType::I16, DType::I8, DType::I32))
    return run<int16_t, int8_t, int32_t>(s, loops, l, r);
  if (is(DType::I32, DType::I32, DType::I32))
    return run<int32_t, int32_t, int32_t>(s, loops, l, r);
  if (is(DType::I32, DType::I32, DType::I64))
    return run<int32_t, int32_t, int64_t>(s, loops, l, r);
  return std::nullopt;
}
