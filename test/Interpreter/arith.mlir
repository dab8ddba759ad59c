// arith and math: the edges that a column could get wrong.
// RUN: q-run --interpret %s | FileCheck %s

// CHECK-LABEL: @integers_wrap
// CHECK-NEXT: 3xint8 [-128, -128, 127]
// CHECK-NEXT: 3xint8 [1, 0, 1]
// CHECK-NEXT: 3xint8 [126, -128, -127]
// CHECK-NEXT: 3xint32 [-2147483648, 1, 0]
func.func @integers_wrap() -> (tensor<3xi8>, tensor<3xi8>, tensor<3xi8>, tensor<3xi32>) {
  %a = arith.constant dense<[127, -128, -128]> : tensor<3xi8>
  %b = arith.constant dense<[1, 0, -1]> : tensor<3xi8>
  %c = arith.constant dense<[127, -128, 127]> : tensor<3xi8>
  %0 = arith.addi %a, %b : tensor<3xi8>
  %1 = arith.muli %c, %c : tensor<3xi8>
  %2 = arith.subi %a, %b : tensor<3xi8>
  %m = arith.constant dense<[-2147483648, 2147483647, 65536]> : tensor<3xi32>
  %n = arith.constant dense<[-1, 2147483647, 65536]> : tensor<3xi32>
  %3 = arith.muli %m, %n : tensor<3xi32>
  return %0, %1, %2, %3 : tensor<3xi8>, tensor<3xi8>, tensor<3xi8>, tensor<3xi32>
}

// CHECK-LABEL: @divisions
// CHECK-NEXT: 4xint32 [-3, 3, -3, -2147483648]
// CHECK-NEXT: 4xint32 [-1, 1, 1, 0]
// CHECK-NEXT: 4xint32 [-4, 3, -4, -2147483648]
// CHECK-NEXT: 4xint32 [-3, 4, -3, -2147483648]
// CHECK-NEXT: 4xint32 [2147483644, 3, 0, 0]
func.func @divisions() -> (tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) {
  %a = arith.constant dense<[-7, 7, 7, -2147483648]> : tensor<4xi32>
  %b = arith.constant dense<[2, 2, -2, -1]> : tensor<4xi32>
  %0 = arith.divsi %a, %b : tensor<4xi32>
  %1 = arith.remsi %a, %b : tensor<4xi32>
  %2 = arith.floordivsi %a, %b : tensor<4xi32>
  %3 = arith.ceildivsi %a, %b : tensor<4xi32>
  %4 = arith.divui %a, %b : tensor<4xi32>
  return %0, %1, %2, %3, %4 : tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
}

// CHECK-LABEL: @shifts_and_unsigned
// CHECK-NEXT: 3xint8 [-2, 0, 0]
// CHECK-NEXT: 3xint8 [-1, -1, 0]
// CHECK-NEXT: 3xint8 [127, 1, 0]
// CHECK-NEXT: 3xint8 [-1, -1, 9]
func.func @shifts_and_unsigned() -> (tensor<3xi8>, tensor<3xi8>, tensor<3xi8>, tensor<3xi8>) {
  %a = arith.constant dense<[-1, -128, 5]> : tensor<3xi8>
  %n = arith.constant dense<[1, 7, 9]> : tensor<3xi8>
  %0 = arith.shli %a, %n : tensor<3xi8>
  %1 = arith.shrsi %a, %n : tensor<3xi8>
  %2 = arith.shrui %a, %n : tensor<3xi8>
  %b = arith.constant dense<[3, -1, 9]> : tensor<3xi8>
  %3 = arith.maxui %a, %b : tensor<3xi8>
  return %0, %1, %2, %3 : tensor<3xi8>, tensor<3xi8>, tensor<3xi8>, tensor<3xi8>
}

// maximumf: NaN wins, +0 above -0. maxnumf: the number wins.
// CHECK-LABEL: @min_max
// CHECK-NEXT: 4xfloat32 [nan, nan, 0, 2]
// CHECK-NEXT: 4xfloat32 [1, 1, 0, 2]
// CHECK-NEXT: 4xfloat32 [nan, nan, -0, 1]
// CHECK-NEXT: 4xfloat32 [1, 1, -0, 1]
func.func @min_max() -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %a = arith.constant dense<[0x7FC00000, 1.0, -0.0, 1.0]> : tensor<4xf32>
  %b = arith.constant dense<[1.0, 0x7FC00000, 0.0, 2.0]> : tensor<4xf32>
  %0 = arith.maximumf %a, %b : tensor<4xf32>
  %1 = arith.maxnumf %a, %b : tensor<4xf32>
  %2 = arith.minimumf %a, %b : tensor<4xf32>
  %3 = arith.minnumf %a, %b : tensor<4xf32>
  return %0, %1, %2, %3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: @comparisons
// CHECK-NEXT: 3xbool [0, 1, 0]
// CHECK-NEXT: 3xbool [1, 1, 1]
// CHECK-NEXT: 3xbool [1, 0, 0]
// CHECK-NEXT: 3xbool [0, 1, 1]
// CHECK-NEXT: 3xfloat32 [2, 1, 0]
func.func @comparisons() -> (tensor<3xi1>, tensor<3xi1>, tensor<3xi1>, tensor<3xi1>, tensor<3xf32>) {
  %a = arith.constant dense<[0x7FC00000, 1.0, -0.0]> : tensor<3xf32>
  %b = arith.constant dense<[2.0, 2.0, 0.0]> : tensor<3xf32>
  %0 = arith.cmpf olt, %a, %b : tensor<3xf32>
  %1 = arith.cmpf ule, %a, %b : tensor<3xf32>
  %2 = arith.cmpf uno, %a, %b : tensor<3xf32>
  %3 = arith.cmpf ord, %a, %b : tensor<3xf32>
  %4 = arith.select %0, %a, %b : tensor<3xi1>, tensor<3xf32>
  return %0, %1, %2, %3, %4 : tensor<3xi1>, tensor<3xi1>, tensor<3xi1>, tensor<3xi1>, tensor<3xf32>
}

// CHECK-LABEL: @integer_comparisons
// CHECK-NEXT: 2xbool [1, 0]
// CHECK-NEXT: 2xbool [0, 1]
// CHECK-NEXT: 2xint32 [-1, 0]
// CHECK-NEXT: 2xint32 [1, 0]
func.func @integer_comparisons() -> (tensor<2xi1>, tensor<2xi1>, tensor<2xi32>, tensor<2xi32>) {
  %a = arith.constant dense<[-1, 1]> : tensor<2xi8>
  %b = arith.constant dense<[1, -1]> : tensor<2xi8>
  %0 = arith.cmpi slt, %a, %b : tensor<2xi8>
  %1 = arith.cmpi ult, %a, %b : tensor<2xi8>
  %2 = arith.extsi %0 : tensor<2xi1> to tensor<2xi32>
  %3 = arith.extui %0 : tensor<2xi1> to tensor<2xi32>
  return %0, %1, %2, %3 : tensor<2xi1>, tensor<2xi1>, tensor<2xi32>, tensor<2xi32>
}

// Truncation toward zero, saturation at both ends, NaN is 0.
// CHECK-LABEL: @float_to_int
// CHECK-NEXT: 5xint8 [-1, 127, -128, 0, 1]
// CHECK-NEXT: 5xint8 [0, -1, 0, 0, 1]
func.func @float_to_int() -> (tensor<5xi8>, tensor<5xi8>) {
  %x = arith.constant dense<[-1.9, 300.0, -300.0, 0x7FC00000, 1.9]> : tensor<5xf32>
  %0 = arith.fptosi %x : tensor<5xf32> to tensor<5xi8>
  %1 = arith.fptoui %x : tensor<5xf32> to tensor<5xi8>
  return %0, %1 : tensor<5xi8>, tensor<5xi8>
}

// One rounding: 2^24 + 1 to even; unsigned -1 is 2^32 - 1, which rounds to 2^32.
// CHECK-LABEL: @int_to_float
// CHECK-NEXT: 2xfloat32 [16777216, -1]
// CHECK-NEXT: 2xfloat32 [16777216, 4294967296]
// CHECK-NEXT: 2xfloat16 [inf, -1]
func.func @int_to_float() -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf16>) {
  %x = arith.constant dense<[16777217, -1]> : tensor<2xi32>
  %0 = arith.sitofp %x : tensor<2xi32> to tensor<2xf32>
  %1 = arith.uitofp %x : tensor<2xi32> to tensor<2xf32>
  %2 = arith.sitofp %x : tensor<2xi32> to tensor<2xf16>
  return %0, %1, %2 : tensor<2xf32>, tensor<2xf32>, tensor<2xf16>
}

// Half precision is rounded after each operation: 2048 + 1 is 2048 in f16.
// CHECK-LABEL: @half_precision
// CHECK-NEXT: 2xfloat16 [2048, inf]
// CHECK-NEXT: 2xbfloat16 [256, 65536]
func.func @half_precision() -> (tensor<2xf16>, tensor<2xbf16>) {
  %a = arith.constant dense<[2048.0, 65504.0]> : tensor<2xf16>
  %b = arith.constant dense<[1.0, 65504.0]> : tensor<2xf16>
  %0 = arith.addf %a, %b : tensor<2xf16>
  %c = arith.constant dense<[256.0, 65536.0]> : tensor<2xbf16>
  %d = arith.constant dense<[1.0, 1.0]> : tensor<2xbf16>
  %1 = arith.addf %c, %d : tensor<2xbf16>
  return %0, %1 : tensor<2xf16>, tensor<2xbf16>
}

// CHECK-LABEL: @small_floats
// CHECK-NEXT: 3xuint8 [56, 127, 129]
// CHECK-NEXT: 3xfloat32 [1, nan, -0.001953125]
func.func @small_floats() -> (tensor<3xf8E4M3FN>, tensor<3xf32>) {
  %x = arith.constant dense<[1.0, 1000.0, -0.002]> : tensor<3xf32>
  %0 = arith.truncf %x : tensor<3xf32> to tensor<3xf8E4M3FN>
  %1 = arith.extf %0 : tensor<3xf8E4M3FN> to tensor<3xf32>
  return %0, %1 : tensor<3xf8E4M3FN>, tensor<3xf32>
}

// CHECK-LABEL: @bitcast
// CHECK-NEXT: 2xint32 [1065353216, -2147483648]
// CHECK-NEXT: 2xfloat32 [1, -0]
func.func @bitcast() -> (tensor<2xi32>, tensor<2xf32>) {
  %x = arith.constant dense<[1.0, -0.0]> : tensor<2xf32>
  %0 = arith.bitcast %x : tensor<2xf32> to tensor<2xi32>
  %1 = arith.bitcast %0 : tensor<2xi32> to tensor<2xf32>
  return %0, %1 : tensor<2xi32>, tensor<2xf32>
}

// CHECK-LABEL: @rounding_functions
// CHECK-NEXT: 4xfloat32 [2, -2, 0, -0]
// CHECK-NEXT: 4xfloat32 [3, -3, 1, -0]
// CHECK-NEXT: 4xfloat32 [2, -3, 0, -1]
// CHECK-NEXT: 4xfloat32 [3, -2, 1, -0]
// CHECK-NEXT: 4xfloat32 [2.5, 2.5, 0.5, 0.25]
func.func @rounding_functions() -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %x = arith.constant dense<[2.5, -2.5, 0.5, -0.25]> : tensor<4xf32>
  %0 = math.roundeven %x : tensor<4xf32>
  %1 = math.round %x : tensor<4xf32>
  %2 = math.floor %x : tensor<4xf32>
  %3 = math.ceil %x : tensor<4xf32>
  %4 = math.absf %x : tensor<4xf32>
  return %0, %1, %2, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: @functions
// CHECK-NEXT: 3xfloat32 [1, 0, nan]
// CHECK-NEXT: 3xfloat32 [0, -1, nan]
// CHECK-NEXT: 3xfloat32 [0, -1, nan]
// CHECK-NEXT: 3xfloat32 [-inf, nan, nan]
// CHECK-NEXT: 3xfloat32 [2, 0.5, nan]
// CHECK-NEXT: 3xfloat32 [0.5, 2, nan]
// CHECK-NEXT: 3xfloat32 [16, 0.0625, nan]
func.func @functions() -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %x = arith.constant dense<[0.0, -200.0, 0x7FC00000]> : tensor<3xf32>
  %y = arith.constant dense<[4.0, 0.25, 0x7FC00000]> : tensor<3xf32>
  %two = arith.constant dense<2.0> : tensor<3xf32>
  %0 = math.exp %x : tensor<3xf32>
  %1 = math.tanh %x : tensor<3xf32>
  %2 = math.erf %x : tensor<3xf32>
  %3 = math.log %x : tensor<3xf32>
  %4 = math.sqrt %y : tensor<3xf32>
  %5 = math.rsqrt %y : tensor<3xf32>
  %6 = math.powf %y, %two : tensor<3xf32>
  return %0, %1, %2, %3, %4, %5, %6 : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}

// math.fma rounds once; mulf and addf round twice: (1 + e)(1 - e) - 1 = -e^2.
// CHECK-LABEL: @fma
// CHECK-NEXT: float32 -1.4210855e-14
// CHECK-NEXT: float32 0
func.func @fma() -> (tensor<f32>, tensor<f32>) {
  %a = arith.constant dense<1.00000012> : tensor<f32>
  %b = arith.constant dense<0.99999988> : tensor<f32>
  %c = arith.constant dense<-1.0> : tensor<f32>
  %0 = math.fma %a, %b, %c : tensor<f32>
  %1 = arith.mulf %a, %b : tensor<f32>
  %2 = arith.addf %1, %c : tensor<f32>
  return %0, %2 : tensor<f32>, tensor<f32>
}
