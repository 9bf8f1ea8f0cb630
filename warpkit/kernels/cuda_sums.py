"""Sums on CUDA that are the same bits in every run, whatever order the threads come in.

Shares are added as integers: a share times 2^k, cut to a whole number, k chosen so that no sum can leave 62 bits. With n shares
for each sum and the largest of magnitude m, each share is off by less than m 2^(log2 n - 60), which is m 2^-36 in a picture of
4096 x 4096; float32 itself has 2^-24. For float64 a second integer holds what was cut off, in units smaller by 2^(61 - log2 n):
m 2^-73.

A share that is NaN or infinite goes to a floating sum: it too is the same in any order.
"""

from __future__ import annotations

import numpy as np

from .compiling import bits_of, float_of, inlined
from .cuda_target import FLOAT64, cuda, device, kernel

SUM_BITS = 61
LARGEST_EXPONENT = 120  # of the units: 2^120 and 2^-120 are normal numbers, float32 too
FAST = -1  # for ``bits``: add floats, in whatever order

LARGEST_BLOCK = 256  # threads of find_largest
ADDERS = 64  # threads that add up one number of add_groups


@inlined
def power_of_two(k):
    """2^k as a float64, for a normal number."""
    return float_of(np.uint64(k + 1023) << np.uint64(52))


@inlined
def unit_exponent(largest, bits):
    """k of the units 2^-k for up to 2^``bits`` shares; ``largest`` holds the bits of the largest magnitude as a float64."""
    magnitude = (largest >> 52) - 1022  # the largest is below 2^magnitude
    return min(max(SUM_BITS - bits - magnitude, -LARGEST_EXPONENT), LARGEST_EXPONENT)


@inlined
def is_finite(x):
    return x - x == 0


@device
def add_share(floats, words, low, at, share, k, bits):
    """Add to sum ``at``: to an integer and, from ``low`` on if that is not 0, to that of what was cut off; or to a float."""
    real = type(share)
    if bits == FAST or not is_finite(share):
        cuda.atomic.add(floats, at, share)
        return
    scaled = share * real(power_of_two(k))
    whole = int(scaled)
    cuda.atomic.add(words, at, whole)
    if low > 0:
        cuda.atomic.add(words, low + at, int((scaled - real(whole)) * real(power_of_two(SUM_BITS - bits))))


@kernel
def clear(array, size):
    """Set ``size`` elements to zero."""
    at = cuda.grid(1)
    while at < size:
        array[at] = 0
        at += cuda.gridsize(1)


@kernel
def find_largest(values, largest, images, rows, columns, channels, image_step, row_step, column_step, channel_step):
    """Raise ``largest[0]``, bits of a float64, to the largest finite magnitude of an image batch (N, H, W, C)."""
    column, row, first = cuda.grid(3)
    _, rows_at_once, images_at_once = cuda.gridsize(3)
    found = 0.0
    while row < rows and column < columns:
        n = first
        while n < images:
            at = n * image_step + row * row_step + column * column_step
            for c in range(channels):
                value = abs(np.float64(values[at + c * channel_step]))
                if is_finite(value) and value > found:
                    found = value
            n += images_at_once
        row += rows_at_once
    shared = cuda.shared.array(LARGEST_BLOCK, FLOAT64)
    thread, threads = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x, cuda.blockDim.x * cuda.blockDim.y
    shared[thread] = found
    cuda.syncthreads()
    if thread == 0:
        for other in range(threads):
            found = max(found, shared[other])
        if found > 0:
            cuda.atomic.max(largest, 0, np.int64(bits_of(found)))


@kernel
def finish_sums(floats, words, low, largest, bits, target, size):
    """``target[i]`` = the sum ``i``, of the type of ``target``, which may be ``floats``."""
    at = cuda.grid(1)
    real = type(floats[0])
    k = unit_exponent(largest[0], bits)
    while at < size:
        total = floats[at]
        if bits != FAST:
            total += real(words[at]) * real(power_of_two(-k))
            if low > 0:
                total += real(words[low + at]) * real(power_of_two(-k)) * real(power_of_two(bits - SUM_BITS))
        target[at] = type(target[0])(total)
        at += cuda.gridsize(1)


@kernel
def add_groups(partial, totals, count, groups, length):
    """``totals`` (count, length) from ``partial`` (count, groups, length), added up in an order given by ``groups`` alone."""
    shared = cuda.shared.array(ADDERS, FLOAT64)
    thread, at = cuda.threadIdx.x, cuda.blockIdx.x
    while at < count * length:
        n, p = at // length, at % length
        total = 0.0
        group = thread
        while group < groups:
            total += partial[(n * groups + group) * length + p]
            group += ADDERS
        shared[thread] = total
        cuda.syncthreads()
        if thread == 0:
            total = 0.0
            for k in range(ADDERS):
                total += shared[k]
            totals[at] = total
        cuda.syncthreads()
        at += cuda.gridDim.x
