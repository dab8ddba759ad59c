// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The words of kernels of warps, spelled in upstream ops.

#include "WarpEmitter.h"

#include "QDialect/Support/SymbolicSizes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;

namespace qdialect::gpu {

Value WarpEmitter::constantOf(Type type, int64_t value) {
  if (!SymbolicSizes::isSymbolic(value))
    return arith::ConstantOp::create(*this, getIntegerAttr(type, value));
  Value size = sizes(value);
  return type == size.getType() ? size
                                : createOrFold<arith::TruncIOp>(type, size);
}
Value WarpEmitter::add(Value a, Value b) {
  return createOrFold<arith::AddIOp>(a, b);
}
Value WarpEmitter::sub(Value a, Value b) {
  return createOrFold<arith::SubIOp>(a, b);
}
Value WarpEmitter::mul(Value a, Value b) {
  return createOrFold<arith::MulIOp>(a, b);
}
Value WarpEmitter::div(Value a, int64_t b) {
  return createOrFold<arith::DivUIOp>(a, like(a, b));
}
Value WarpEmitter::rem(Value a, int64_t b) {
  return createOrFold<arith::RemUIOp>(a, like(a, b));
}
Value WarpEmitter::andBits(Value a, int64_t b) {
  return createOrFold<arith::AndIOp>(a, like(a, b));
}
Value WarpEmitter::orBits(Value a, Value b) {
  return createOrFold<arith::OrIOp>(a, b);
}
Value WarpEmitter::xorBits(Value a, Value b) {
  return createOrFold<arith::XOrIOp>(a, b);
}
Value WarpEmitter::shiftLeft(Value a, Value b) {
  return createOrFold<arith::ShLIOp>(a, b);
}
Value WarpEmitter::shiftRight(Value a, Value b) {
  return createOrFold<arith::ShRUIOp>(a, b);
}
Value WarpEmitter::min(Value a, Value b) {
  return createOrFold<arith::MinSIOp>(a, b);
}
Value WarpEmitter::max(Value a, Value b) {
  return createOrFold<arith::MaxSIOp>(a, b);
}
Value WarpEmitter::isLess(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, a, b);
}
Value WarpEmitter::isLessUnsigned(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ult, a, b);
}
Value WarpEmitter::select(Value condition, Value a, Value b) {
  return createOrFold<arith::SelectOp>(condition, a, b);
}
Value WarpEmitter::logic(Value a, int64_t b, Value c, int64_t table) {
  std::string text = "lop3.b32 $0, $1, $2, $3, " + std::to_string(table) + ";";
  return LLVM::InlineAsmOp::create(
             *this, getI32Type(), ValueRange{a, constant(b), c}, text,
             matchPattern(c, m_Constant()) ? "=r,r,n,n" : "=r,r,n,r",
             /*has_side_effects=*/false, /*is_align_stack=*/false,
             LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
      .getRes();
}
Value WarpEmitter::permute(Value a, Value b, int64_t selector) {
  return NVVM::PermuteOp::create(*this, getI32Type(), a, b, constant(selector),
                                 NVVM::PermuteMode::DEFAULT);
}
Value WarpEmitter::dot(Value a, Value b, Value sum) {
  auto bytes = VectorType::get({4}, getI8Type());
  return NVVM::DotAccumulate4WayOp::create(
      *this, getI32Type(), bits(bytes, a), NVVM::DotAccumulateType::UNSIGNED,
      bits(bytes, b), NVVM::DotAccumulateType::SIGNED, sum);
}
Value WarpEmitter::bits(Type type, Value value) {
  return LLVM::BitcastOp::create(*this, type, value);
}
Value WarpEmitter::toI64(Value a) {
  return createOrFold<arith::ExtUIOp>(getI64Type(), a);
}

Value WarpEmitter::toI32(Value a) {
  return createOrFold<arith::ExtUIOp>(getI32Type(), a);
}

Value WarpEmitter::threadId() {
  return NVVM::ThreadIdXOp::create(*this, getI32Type());
}
Value WarpEmitter::blockId() {
  return NVVM::BlockIdXOp::create(*this, getI32Type());
}

Value WarpEmitter::at(Value pointer, Value offset) {
  return LLVM::GEPOp::create(*this, pointer.getType(), getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{offset});
}
Value WarpEmitter::at(Value pointer, int64_t offset) {
  if (offset == 0)
    return pointer;
  // A GEP constant is 32 bits wide.
  if (offset != static_cast<int32_t>(offset))
    return at(pointer, constantOf(getI64Type(), offset));
  return LLVM::GEPOp::create(
      *this, pointer.getType(), getI8Type(), pointer,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
}
Value WarpEmitter::load(Type type, Value pointer, unsigned alignment) {
  return LLVM::LoadOp::create(*this, type, pointer, alignment);
}
void WarpEmitter::store(Value value, Value pointer, unsigned alignment) {
  LLVM::StoreOp::create(*this, value, pointer, alignment);
}

Value WarpEmitter::shared(StringRef name, int64_t bytes) {
  Operation *module =
      SymbolTable::getNearestSymbolTable(getInsertionBlock()->getParentOp());
  auto type = LLVM::LLVMArrayType::get(getI8Type(), bytes);
  LLVM::GlobalOp global;
  {
    InsertionGuard guard(*this);
    setInsertionPointToStart(&module->getRegion(0).front());
    global = LLVM::GlobalOp::create(*this, type, /*isConstant=*/false,
                                    LLVM::Linkage::Internal, name, Attribute(),
                                    /*alignment=*/128, /*addrSpace=*/3);
    Block *body = createBlock(&global.getInitializerRegion());
    setInsertionPointToStart(body);
    LLVM::ReturnOp::create(*this, LLVM::UndefOp::create(*this, type));
  }
  return LLVM::AddressOfOp::create(*this, global);
}

void WarpEmitter::copyAsync(Value to, Value from, int64_t bytes, Value size) {
  // Only whole chunks may pass by the first-level cache.
  NVVM::CpAsyncOp::create(*this, to, from, static_cast<uint32_t>(bytes),
                          bytes == 16 ? NVVM::LoadCacheModifierKind::CG
                                      : NVVM::LoadCacheModifierKind::CA,
                          size);
}
void WarpEmitter::commitCopies() { NVVM::CpAsyncCommitGroupOp::create(*this); }
void WarpEmitter::waitCopies(int64_t groups) {
  NVVM::CpAsyncWaitGroupOp::create(*this, static_cast<uint32_t>(groups));
}
void WarpEmitter::barrier() { NVVM::Barrier0Op::create(*this); }

static WarpEmitter::Values fields(WarpEmitter &e, Value structure) {
  WarpEmitter::Values values;
  auto type = cast<LLVM::LLVMStructType>(structure.getType());
  for (int64_t i = 0, n = type.getBody().size(); i < n; ++i)
    values.push_back(LLVM::ExtractValueOp::create(e, structure, i));
  return values;
}

WarpEmitter::Values WarpEmitter::loadMatrices(Value rows) {
  auto type = LLVM::LLVMStructType::getLiteral(
      getContext(), SmallVector<Type>(4, getI32Type()));
  auto shape = NVVM::LdStMatrixShapeAttr::get(getContext(), 8, 8);
  return fields(*this, NVVM::LdMatrixOp::create(*this, type, rows, 4,
                                                NVVM::MMALayout::row, shape,
                                                NVVM::LdStMatrixEltType::B16));
}

WarpEmitter::Values WarpEmitter::multiply(ValueRange a, ValueRange b,
                                          ValueRange c, bool isUnsignedA,
                                          bool isUnsignedB) {
  auto type = LLVM::LLVMStructType::getLiteral(
      getContext(), SmallVector<Type>(4, getI32Type()));
  auto code = [](bool isUnsigned) {
    return isUnsigned ? NVVM::MMATypes::u8 : NVVM::MMATypes::s8;
  };
  return fields(*this,
                NVVM::MmaOp::create(
                    *this, type, a, b, c,
                    ArrayRef<int64_t>{16, 8, b.size() == 1 ? 16 : 32},
                    std::nullopt, NVVM::MMAIntOverflow::wrapped,
                    std::array{code(isUnsignedA), code(isUnsignedB)},
                    std::array{NVVM::MMALayout::row, NVVM::MMALayout::col}));
}

WarpEmitter::Values WarpEmitter::multiplyBits(ValueRange a, ValueRange b,
                                              ValueRange c) {
  auto type = LLVM::LLVMStructType::getLiteral(
      getContext(), SmallVector<Type>(4, getI32Type()));
  return fields(*this,
                NVVM::MmaOp::create(
                    *this, type, a, b, c, ArrayRef<int64_t>{16, 8, 256},
                    NVVM::MMAB1Op::and_popc, std::nullopt,
                    std::array{NVVM::MMATypes::b1, NVVM::MMATypes::b1},
                    std::array{NVVM::MMALayout::row, NVVM::MMALayout::col}));
}

WarpEmitter::Values WarpEmitter::multiplyFloats(ValueRange a, ValueRange b,
                                                ValueRange c, bool isHalf) {
  auto type = LLVM::LLVMStructType::getLiteral(
      getContext(), SmallVector<Type>(4, getF32Type()));
  auto operands = [&](ValueRange registers) {
    Values result(registers);
    if (isHalf)
      for (Value &value : result)
        value = bits(VectorType::get({2}, getF16Type()), value);
    return result;
  };
  auto element = isHalf ? NVVM::MMATypes::f16 : NVVM::MMATypes::bf16;
  return fields(*this,
                NVVM::MmaOp::create(
                    *this, type, operands(a), operands(b), c,
                    ArrayRef<int64_t>{16, 8, 16}, std::nullopt, std::nullopt,
                    std::array{element, element},
                    std::array{NVVM::MMALayout::row, NVVM::MMALayout::col}));
}

WarpEmitter::Values WarpEmitter::multiplyMinifloats(ValueRange a, ValueRange b,
                                                    ValueRange c,
                                                    StringRef typeA,
                                                    StringRef typeB) {
  auto type = LLVM::LLVMStructType::getLiteral(
      getContext(), SmallVector<Type>(4, getF32Type()));
  // nvvm.mma.sync takes no minifloats.
  std::string name =
      ("llvm.nvvm.mma.m16n8k32.row.col.f32." + typeA + "." + typeB + ".f32")
          .str();
  Values operands(a);
  llvm::append_range(operands, b);
  llvm::append_range(operands, c);
  return fields(*this, LLVM::CallIntrinsicOp::create(
                           *this, type, getStringAttr(name), operands)
                           .getResults());
}

WarpEmitter::Values
WarpEmitter::loop(Value count, ValueRange init,
                  function_ref<Values(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(
      *this, constant(0), count, constant(1), init,
      [&](OpBuilder &inner, Location loc, Value counter, ValueRange carried) {
        InsertionGuard guard(*this);
        restoreInsertionPoint(inner.saveInsertionPoint());
        Values next = body(counter, carried);
        scf::YieldOp::create(*this, next);
      });
  return Values(loop.getResults());
}

void WarpEmitter::ifThen(Value condition, function_ref<void()> then) {
  auto ifOp = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  InsertionGuard guard(*this);
  setInsertionPoint(ifOp.thenBlock()->getTerminator());
  then();
}

WarpEmitter::Values WarpEmitter::choose(Value condition,
                                        function_ref<Values()> then,
                                        ValueRange otherwise) {
  auto ifOp = scf::IfOp::create(*this, otherwise.getTypes(), condition,
                                /*withElseRegion=*/true);
  InsertionGuard guard(*this);
  setInsertionPointToStart(ifOp.thenBlock());
  Values values = then();
  scf::YieldOp::create(*this, values);
  setInsertionPointToStart(ifOp.elseBlock());
  scf::YieldOp::create(*this, otherwise);
  return Values(ifOp.getResults());
}

} // namespace qdialect::gpu
