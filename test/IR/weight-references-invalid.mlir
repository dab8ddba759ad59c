// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @not_a_reference() -> tensor<4xf32> {
  %0 = arith.constant dense_resource<w> : tensor<4xf32>
  return %0 : tensor<4xf32>
}
{-#
  dialect_resources: {
    qd: {
      // expected-error @+1 {{weights 'w': expected file@offset+size#xxh3:hash, found 'model.onnx@12'}}
      w: "model.onnx@12"
    }
  }
#-}
