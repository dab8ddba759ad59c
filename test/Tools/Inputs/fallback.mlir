func.func @main(%x: tensor<3x2xi8> {qd.name = "x"}) -> (tensor<3x2xi8> {qd.name = "y"}) {
  %s = arith.constant dense<0.5> : tensor<f32>
  %xd = qd.dequantize %x scale %s : tensor<3x2xi8>, tensor<f32> -> tensor<3x2xf32>
  %0 = qd.softmax %xd axis = 1 {qd.name = "probabilities"} : tensor<3x2xf32>
  %y = qd.quantize %0 scale %s rounding(half_even) overflow(saturate) : tensor<3x2xf32>, tensor<f32> -> tensor<3x2xi8>
  return %y : tensor<3x2xi8>
}
