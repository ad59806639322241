"""Systolic array: a matrix product of 16-bit floats, summed in float32 in the order of k."""

from torch import Tensor

from golden.dxe.mac import mac


def matmul(addend: Tensor, activations: Tensor, weights: Tensor) -> Tensor:
    """``((addend + a_0 w_0) + a_1 w_1) + ...``, each product and each sum rounded to float32.

    Args:
        addend: (m, n), float32.
        activations: (m, k), float16 or bfloat16.
        weights: (k, n), of the same type.

    Returns:
        (m, n), float32.
    """
    total = addend
    for a, w in zip(activations.T, weights, strict=True):
        total = mac(total, a[:, None], w[None])
    return total
