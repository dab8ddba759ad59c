// Values of the integer functions: ties, saturation, equal rows, masked ends, empty rows, an axis in the middle. Their
// decomposition gives the same.
// RUN: q-run --interpret %s | FileCheck %s
// RUN: q-opt %s --qd-decompose > %t.mlir
// RUN: FileCheck %s --check-prefix=GONE < %t.mlir
// RUN: q-run --interpret %t.mlir | FileCheck %s
// GONE-NOT: qd.int_

// CHECK-LABEL: @softmax_qd
// CHECK-NEXT: 3x4xint8 [ [-64, -64, -64, -64], [37, -128, -67, -98], [-128, -128, -128, 127] ]
func.func @softmax_qd() -> tensor<3x4xi8> {
  %x = arith.constant dense<[[0, 0, 0, 0], [127, -128, 111, 100], [-128, -128, -128, 127]]> : tensor<3x4xi8>
  %y = qd.int_softmax %x scheme(qd) axis = 1 scale = 6.25e-2 to 3.90625e-3 zero_point = -128 : tensor<3x4xi8> -> tensor<3x4xi8>
  return %y : tensor<3x4xi8>
}

// CHECK-LABEL: @softmax_ibert
// CHECK-NEXT: 3x4xint8 [ [-65, -65, -65, -65], [37, -128, -68, -98], [-128, -128, -128, 127] ]
func.func @softmax_ibert() -> tensor<3x4xi8> {
  %x = arith.constant dense<[[0, 0, 0, 0], [127, -128, 111, 100], [-128, -128, -128, 127]]> : tensor<3x4xi8>
  %y = qd.int_softmax %x scheme(ibert) axis = 1 scale = 6.25e-2 to 3.90625e-3 zero_point = -128 : tensor<3x4xi8> -> tensor<3x4xi8>
  return %y : tensor<3x4xi8>
}

// CHECK-LABEL: @softmax_ivit
// CHECK-NEXT: 3x4xint8 [ [-65, -65, -65, -65], [33, -128, -65, -97], [-128, -128, -128, 127] ]
func.func @softmax_ivit() -> tensor<3x4xi8> {
  %x = arith.constant dense<[[0, 0, 0, 0], [127, -128, 111, 100], [-128, -128, -128, 127]]> : tensor<3x4xi8>
  %y = qd.int_softmax %x scheme(ivit) axis = 1 scale = 6.25e-2 to 3.90625e-3 zero_point = -128 : tensor<3x4xi8> -> tensor<3x4xi8>
  return %y : tensor<3x4xi8>
}

// The largest element is 1, here beyond the grid; the rest of 16-bit codes vanishes.
// CHECK-LABEL: @softmax_middle_axis
// CHECK-NEXT: 1x2x2xint8 [ [ [0, 127], [0, -128] ] ]
func.func @softmax_middle_axis() -> tensor<1x2x2xi8> {
  %x = arith.constant dense<[[[7, 32767], [7, -32768]]]> : tensor<1x2x2xi16>
  %y = qd.int_softmax %x scheme(qd) axis = 1 scale = 1.0e-3 to 3.90625e-3 zero_point = -128 : tensor<1x2x2xi16> -> tensor<1x2x2xi8>
  return %y : tensor<1x2x2xi8>
}

// CHECK-LABEL: @softmax_empty
// CHECK-NEXT: 0x2xint8 [ ]
func.func @softmax_empty() -> tensor<0x2xi8> {
  %x = arith.constant dense<1> : tensor<0x2xi8>
  %y = qd.int_softmax %x scheme(qd) axis = 1 scale = 1.0 to 1.0 zero_point = 0 : tensor<0x2xi8> -> tensor<0x2xi8>
  return %y : tensor<0x2xi8>
}

// Rows without elements divide by nothing.
// CHECK-LABEL: @softmax_of_no_elements
// CHECK-NEXT: 2x0xint8 [ [], [] ]
func.func @softmax_of_no_elements() -> tensor<2x0xi8> {
  %x = arith.constant dense<1> : tensor<2x0xi8>
  %y = qd.int_softmax %x scheme(qd) axis = 1 scale = 1.0 to 1.0 zero_point = 0 : tensor<2x0xi8> -> tensor<2x0xi8>
  return %y : tensor<2x0xi8>
}

// Equal elements give the bias.
// CHECK-LABEL: @layer_norm_qd
// CHECK-NEXT: 3x4xint8 [ [0, 0, 10, 0], [-16, 32, -6, -16], [-21, -14, 3, 21] ]
func.func @layer_norm_qd() -> tensor<3x4xi8> {
  %x = arith.constant dense<[[5, 5, 5, 5], [-32768, 32767, 32767, -32768], [0, 1, 2, 3]]> : tensor<3x4xi16>
  %g = arith.constant dense<[1048576, 2097152, -1048576, 1048576]> : tensor<4xi32>
  %b = arith.constant dense<[2147483648, 2147483648, 45097156608, 2147483648]> : tensor<4xi64>
  %y = qd.int_layer_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 1 shift = 32 : tensor<3x4xi16>, tensor<4xi32>, tensor<4xi64> -> tensor<3x4xi8>
  return %y : tensor<3x4xi8>
}

// CHECK-LABEL: @layer_norm_ibert
// CHECK-NEXT: 3x4xint8 [ [0, 0, 10, 0], [-8, 16, 2, -8], [-16, -16, 10, 8] ]
func.func @layer_norm_ibert() -> tensor<3x4xi8> {
  %x = arith.constant dense<[[5, 5, 5, 5], [-32768, 32767, 32767, -32768], [0, 1, 2, 3]]> : tensor<3x4xi16>
  %g = arith.constant dense<[1048576, 2097152, -1048576, 1048576]> : tensor<4xi32>
  %b = arith.constant dense<[35184372088832, 35184372088832, 738871813865472, 35184372088832]> : tensor<4xi64>
  %y = qd.int_layer_norm %x, %g, %b scheme(ibert) axis = 1 epsilon = 1 shift = 46 : tensor<3x4xi16>, tensor<4xi32>, tensor<4xi64> -> tensor<3x4xi8>
  return %y : tensor<3x4xi8>
}

// CHECK-LABEL: @rms_norm_qd
// CHECK-NEXT: 3x4xint8 [ [16, 32, -6, 16], [-16, 32, -6, -16], [-13, 0, -3, 26] ]
func.func @rms_norm_qd() -> tensor<3x4xi8> {
  %x = arith.constant dense<[[5, 5, 5, 5], [-32768, 32767, 32767, -32768], [0, 1, 2, 3]]> : tensor<3x4xi16>
  %g = arith.constant dense<[1048576, 2097152, -1048576, 1048576]> : tensor<4xi32>
  %b = arith.constant dense<[2147483648, 2147483648, 45097156608, 2147483648]> : tensor<4xi64>
  %y = qd.int_rms_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 1 shift = 32 zero_point = 1 : tensor<3x4xi16>, tensor<4xi32>, tensor<4xi64> -> tensor<3x4xi8>
  return %y : tensor<3x4xi8>
}

// CHECK-LABEL: @rms_norm_ivit
// CHECK-NEXT: 3x4xint8 [ [8, 16, 2, 8], [-8, 16, 2, -8], [-8, 0, 2, 16] ]
func.func @rms_norm_ivit() -> tensor<3x4xi8> {
  %x = arith.constant dense<[[5, 5, 5, 5], [-32768, 32767, 32767, -32768], [0, 1, 2, 3]]> : tensor<3x4xi16>
  %g = arith.constant dense<[1048576, 2097152, -1048576, 1048576]> : tensor<4xi32>
  %b = arith.constant dense<[35184372088832, 35184372088832, 738871813865472, 35184372088832]> : tensor<4xi64>
  %y = qd.int_rms_norm %x, %g, %b scheme(ivit) axis = 1 epsilon = 1 shift = 46 zero_point = 1 : tensor<3x4xi16>, tensor<4xi32>, tensor<4xi64> -> tensor<3x4xi8>
  return %y : tensor<3x4xi8>
}

// Rows of two dimensions.
// CHECK-LABEL: @layer_norm_rows
// CHECK-NEXT: 1x2x2xint8 [ [ [-21, -14], [3, 21] ] ]
func.func @layer_norm_rows() -> tensor<1x2x2xi8> {
  %x = arith.constant dense<[[[0, 1], [2, 3]]]> : tensor<1x2x2xi16>
  %g = arith.constant dense<[[1048576, 2097152], [-1048576, 1048576]]> : tensor<2x2xi32>
  %b = arith.constant dense<[[2147483648, 2147483648], [45097156608, 2147483648]]> : tensor<2x2xi64>
  %y = qd.int_layer_norm %x, %g, %b scheme(qd) axis = 1 epsilon = 1 shift = 32 : tensor<1x2x2xi16>, tensor<2x2xi32>, tensor<2x2xi64> -> tensor<1x2x2xi8>
  return %y : tensor<1x2x2xi8>
}

// CHECK-LABEL: @gelu_qd_8
// CHECK-NEXT: 6xint8 [-100, -103, -100, -94, -87, -37]
func.func @gelu_qd_8() -> tensor<6xi8> {
  %x = arith.constant dense<[-128, -32, 0, 16, 32, 127]> : tensor<6xi8>
  %y = qd.int_gelu %x scheme(qd) scale = 3.125e-2 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi8> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @gelu_qd_16
// CHECK-NEXT: 6xint8 [-100, -103, -100, -94, -87, 127]
func.func @gelu_qd_16() -> tensor<6xi8> {
  %x = arith.constant dense<[-32768, -1024, 0, 512, 1024, 32767]> : tensor<6xi16>
  %y = qd.int_gelu %x scheme(qd) scale = 9.765625e-4 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi16> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @gelu_ibert_8
// CHECK-NEXT: 6xint8 [-100, -103, -100, -94, -87, -37]
func.func @gelu_ibert_8() -> tensor<6xi8> {
  %x = arith.constant dense<[-128, -32, 0, 16, 32, 127]> : tensor<6xi8>
  %y = qd.int_gelu %x scheme(ibert) scale = 3.125e-2 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi8> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @gelu_ibert_16
// CHECK-NEXT: 6xint8 [-100, -103, -100, -94, -87, 127]
func.func @gelu_ibert_16() -> tensor<6xi8> {
  %x = arith.constant dense<[-32768, -1024, 0, 512, 1024, 32767]> : tensor<6xi16>
  %y = qd.int_gelu %x scheme(ibert) scale = 9.765625e-4 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi16> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @gelu_ivit_8
// CHECK-NEXT: 6xint8 [-100, -103, -100, -94, -87, -37]
func.func @gelu_ivit_8() -> tensor<6xi8> {
  %x = arith.constant dense<[-128, -32, 0, 16, 32, 127]> : tensor<6xi8>
  %y = qd.int_gelu %x scheme(ivit) scale = 3.125e-2 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi8> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @gelu_ivit_16
// CHECK-NEXT: 6xint8 [-100, -103, -100, -94, -87, 127]
func.func @gelu_ivit_16() -> tensor<6xi8> {
  %x = arith.constant dense<[-32768, -1024, 0, 512, 1024, 32767]> : tensor<6xi16>
  %y = qd.int_gelu %x scheme(ivit) scale = 9.765625e-4 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi16> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @silu_qd_8
// CHECK-NEXT: 6xint8 [-101, -104, -100, -95, -88, -38]
func.func @silu_qd_8() -> tensor<6xi8> {
  %x = arith.constant dense<[-128, -32, 0, 16, 32, 127]> : tensor<6xi8>
  %y = qd.int_silu %x scheme(qd) scale = 3.125e-2 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi8> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @silu_qd_16
// CHECK-NEXT: 6xint8 [-100, -104, -100, -95, -88, 127]
func.func @silu_qd_16() -> tensor<6xi8> {
  %x = arith.constant dense<[-32768, -1024, 0, 512, 1024, 32767]> : tensor<6xi16>
  %y = qd.int_silu %x scheme(qd) scale = 9.765625e-4 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi16> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @silu_ibert_8
// CHECK-NEXT: 6xint8 [-101, -104, -100, -95, -88, -38]
func.func @silu_ibert_8() -> tensor<6xi8> {
  %x = arith.constant dense<[-128, -32, 0, 16, 32, 127]> : tensor<6xi8>
  %y = qd.int_silu %x scheme(ibert) scale = 3.125e-2 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi8> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @silu_ibert_16
// CHECK-NEXT: 6xint8 [-100, -104, -100, -95, -88, 127]
func.func @silu_ibert_16() -> tensor<6xi8> {
  %x = arith.constant dense<[-32768, -1024, 0, 512, 1024, 32767]> : tensor<6xi16>
  %y = qd.int_silu %x scheme(ibert) scale = 9.765625e-4 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi16> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @silu_ivit_8
// CHECK-NEXT: 6xint8 [-101, -104, -100, -95, -88, -38]
func.func @silu_ivit_8() -> tensor<6xi8> {
  %x = arith.constant dense<[-128, -32, 0, 16, 32, 127]> : tensor<6xi8>
  %y = qd.int_silu %x scheme(ivit) scale = 3.125e-2 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi8> -> tensor<6xi8>
  return %y : tensor<6xi8>
}

// CHECK-LABEL: @silu_ivit_16
// CHECK-NEXT: 6xint8 [-100, -104, -100, -95, -88, 127]
func.func @silu_ivit_16() -> tensor<6xi8> {
  %x = arith.constant dense<[-32768, -1024, 0, 512, 1024, 32767]> : tensor<6xi16>
  %y = qd.int_silu %x scheme(ivit) scale = 9.765625e-4 zero_point = 0 to 6.25e-2 zero_point = -100 : tensor<6xi16> -> tensor<6xi8>
  return %y : tensor<6xi8>
}
