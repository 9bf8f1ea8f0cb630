"""Cubic sampling inside in blocks of explicit vectors: of 8-bit pixels, in fixed point, and of float32 pixels.

At the border they are sampled one by one, with the same bits: float32 as in :mod:`separable`, 8 bits here, where weights are
int16 multiples of 2^-14 that add up to one exactly. Along x, sums of products are rounded to multiples of 2^-6, which fit 16
bits; along y, to grey levels. One instruction of x86's vector units multiplies 16-bit integers and adds the products of
neighbours; so taps 0 and 2 share a lane of 32 bits, and taps 1 and 3, as they lie in memory but for zeros between the bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from .compiling import inlined, int_bits, is_integer, multiply_add, row_loop, row_loop_inlined
from .rows import LARGEST_BLOCK, TILE_COLUMNS, run_box
from .simd import LARGEST_OFFSET, Writer, put
from .taps import share, tap, tap_index
from .weights import point_taps, tap_weights

WEIGHT_BITS = 14
LINE_BITS = 6
LINE_SHIFT = WEIGHT_BITS - LINE_BITS
LEVEL_SHIFT = WEIGHT_BITS + LINE_BITS
SUMS = 16  # in a block: one for each pixel and channel, of three channels four
LONGEST = TILE_COLUMNS + LARGEST_BLOCK

_INT8, _INT16, _INT32, _INT64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
# The name of the sums of neighbouring products of int16, the feature that has it, and how many int16 it takes.
_PAIR_SUMS = [
    ("+avx512bw", "llvm.x86.avx512.pmaddw.d.512", 32),
    ("+avx2", "llvm.x86.avx2.pmadd.wd", 16),
    ("+ssse3", "llvm.x86.sse2.pmadd.wd", 8),
]


# --- the formula ------------------------------------------------------------------------------------------------------------


@inlined
def fixed_weights(t, phi):
    """Integers in the low 16 bits of four int32, from cubic polynomials in ``t``; the third is what is left of one.

    A float32 of 3 2^22 and some has that number's nearest integer in its last bits. At whole pixels all weights are exact.
    """
    b, c = phi
    real = type(b)
    one, whole = real(2.0**WEIGHT_BITS), real(3 * 2.0**22)
    sixth = one / real(6)
    first = ((-(b * sixth + c * one) * t + (b * real(3) * sixth + real(2) * c * one)) * t - (b * real(3) * sixth + c * one)) * t
    second = (real(2) * one - b * real(9) * sixth - c * one) * t
    second = (second - (real(3) * one - b * real(12) * sixth - c * one)) * t * t
    fourth = ((b * sixth + c * one) * t - c * one) * t * t
    w0 = int_bits(first + (b * sixth + whole))
    w1 = int_bits(second + (one - b * real(2) * sixth + whole))
    w3 = int_bits(fourth + whole)
    return w0, w1, np.int32(np.int32(2**WEIGHT_BITS) - np.int32(np.int32(w0 + w1) + w3)), w3


@inlined
def low_half(lane):
    """The int16 in the low bits of an int32."""
    return np.int32(np.int32(lane << 16) >> 16)


@inlined
def fixed_sum(weights, a, b, c, d, shift):
    """Four integers by their weights, without the last ``shift`` bits, halves up."""
    total = low_half(weights[0]) * a + low_half(weights[1]) * b + low_half(weights[2]) * c + low_half(weights[3]) * d
    return (total + (1 << (shift - 1))) >> shift


@inlined
def fixed_line(source, first, row, columns, pitch, step, channel, weights, cval):
    """The sum along one row of taps."""
    return fixed_sum(
        weights,
        np.int32(tap(source, first, tap_index(row, columns[0], pitch, step), channel, cval)),
        np.int32(tap(source, first, tap_index(row, columns[1], pitch, step), channel, cval)),
        np.int32(tap(source, first, tap_index(row, columns[2], pitch, step), channel, cval)),
        np.int32(tap(source, first, tap_index(row, columns[3], pitch, step), channel, cval)),
        LINE_SHIFT,
    )


@row_loop
def cubic_fixed_points(
    kernel, source, from_here, source_size, target, to_here, target_size, planes, xs, ys, start, stop,
    height, width, channels, mode, cval,
):  # fmt: skip
    """Sample all planes at any points."""
    phi, _, highest = kernel
    real = type(highest)
    pitch = width * channels
    for k in range(start, stop):
        _, _, t, s, columns, rows = point_taps(xs[k], ys[k], height, width, mode, phi)
        weights_x, weights_y = fixed_weights(real(t), phi), fixed_weights(real(s), phi)
        for p in range(planes):
            plane = from_here + p * source_size
            for c in range(channels):
                level = fixed_sum(
                    weights_y,
                    fixed_line(source, plane, rows[0], columns, pitch, channels, c, weights_x, cval[c]),
                    fixed_line(source, plane, rows[1], columns, pitch, channels, c, weights_x, cval[c]),
                    fixed_line(source, plane, rows[2], columns, pitch, channels, c, weights_x, cval[c]),
                    fixed_line(source, plane, rows[3], columns, pitch, channels, c, weights_x, cval[c]),
                    LEVEL_SHIFT,
                )
                target[to_here + p * target_size + k * channels + c] = min(max(level, 0), np.int64(highest))


# --- runs inside ------------------------------------------------------------------------------------------------------------


@inlined
def pair(low, high):
    """Two int16 in an int32."""
    return np.int32(np.int32(high << 16) | np.int32(low & 0xFFFF))


@row_loop_inlined
def place_cubic_row(xs, ys, start, stop, column_origin, row_origin, pitch, step, offsets, distances_x, distances_y):
    """Where the first tap of each point begins, counted from the origin's, and how far the point lies beyond its pixel."""
    real = type(distances_x[0])
    for k in range(np.uint64(start), np.uint64(stop)):
        column, row = np.int32(xs[k]), np.int32(ys[k])
        distances_x[k], distances_y[k] = real(xs[k] - column), real(ys[k] - row)
        offsets[k] = multiply_add(
            np.int32(row - row_origin), pitch, multiply_add(np.int32(column - column_origin), step, np.int32(0))
        )


@row_loop_inlined
def weigh_fixed_row(start, stop, phi, distances_x, distances_y, weights):
    """The weights of each point in pairs: taps 0 and 2 along x, 1 and 3; 0 and 1 along y, 2 and 3; ``LONGEST`` apart."""
    begin, end = np.uint64(start), np.uint64(stop)
    for k in range(begin, end):
        a, b, c, d = fixed_weights(distances_x[k], phi)
        weights[k] = pair(a, c)
        weights[k + np.uint64(LONGEST)] = pair(b, d)
    for k in range(begin, end):
        a, b, c, d = fixed_weights(distances_y[k], phi)
        weights[k + np.uint64(2 * LONGEST)] = pair(a, b)
        weights[k + np.uint64(3 * LONGEST)] = pair(c, d)


@row_loop_inlined
def weigh_row(start, stop, phi, distances, weights, first):
    """The four weights of each point along one axis, from ``first`` on, ``LONGEST`` apart."""
    for k in range(np.uint64(start), np.uint64(stop)):
        at = np.uint64(first) + k
        a, b, c, d = tap_weights(distances[k], phi)
        weights[at], weights[at + np.uint64(LONGEST)] = a, b
        weights[at + np.uint64(2 * LONGEST)], weights[at + np.uint64(3 * LONGEST)] = c, d


@inlined
def block_length(channels):
    """How many pixels a block has."""
    return SUMS // (channels if channels <= 2 else 4)


@inlined
def fits_cubic_blocks(x_low, x_high, y_low, y_high, height, width, channels):
    """Whether offsets within a run fit 32 bits, and all loads the source: of three channels they take four values too many."""
    return (
        channels <= 4
        and (y_high - y_low + 5.0) * width * channels + (x_high - x_low + 5.0) * channels < LARGEST_OFFSET
        and (channels != 3 or y_high < height - 3 or x_high < width - 4)
    )


@inlined
def sample_cubic_blocks(
    kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
    height, width, channels, lead, row_step,
):  # fmt: skip
    """Sample all planes at points inside, if they fit blocks; returns whether they do."""
    xs, ys, offsets = buffers[0], buffers[1], buffers[2]
    distances_x, distances_y, fixed, floats = buffers[10]
    if stop - start < block_length(channels):
        return False
    box = (1.0, width - 2.0, 1.0, height - 2.0)
    if not fits_cubic_blocks(*box, height, width, channels):
        box = run_box(xs, ys, start, stop)
        if not fits_cubic_blocks(*box, height, width, channels):
            return False
    phi, lowest, highest = kernel
    column, row = np.int32(box[0]), np.int32(box[2])
    place_cubic_row(
        xs, ys, start, stop, column, row, np.int32(width * channels), np.int32(channels), offsets, distances_x, distances_y
    )  # fmt: skip
    if is_integer(source[0]):
        weigh_fixed_row(start, stop, phi, distances_x, distances_y, fixed)
    else:
        weigh_row(start, stop, phi, distances_x, floats, 0)
        weigh_row(start, stop, phi, distances_y, floats, 4 * LONGEST)
    first = from_here + ((row - 1) * width + column - 1) * channels
    for p in range(planes):
        here, there = first + p * source_size, to_here + p * target_size
        arguments = (target, there, offsets, fixed, floats, start, stop, width, lowest, highest, lead, row_step)
        if channels == 1:
            cubic_run_of_1(source, here, *arguments)
        elif channels == 2:
            cubic_run_of_2(source, here, *arguments)
        elif channels == 3:
            cubic_run_of_3(source, here, *arguments)
        else:
            cubic_run_of_4(source, here, *arguments)
    return True


@inlined
def cubic_fixed_run(
    kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
    is_inside, height, width, channels, mode, cval, lead, row_step,
):  # fmt: skip
    """Sample all planes at points that are all inside or all at the border."""
    if is_inside and sample_cubic_blocks(
        kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers, start, stop,
        height, width, channels, lead, row_step,
    ):  # fmt: skip
        return
    cubic_fixed_points(
        kernel, source, from_here, source_size, target, to_here, target_size, planes, buffers[0], buffers[1], start, stop,
        height, width, channels, mode, cval,
    )  # fmt: skip


# --- blocks -----------------------------------------------------------------------------------------------------------------


def _pair_sums(write: Writer, a: Any, b: Any) -> Any:
    """The sums of both products of int16 in each lane of int32."""
    builder, lanes = write.builder, a.type.count
    for feature, name, width in _PAIR_SUMS:
        if feature in write.features:
            halves, sums = ir.VectorType(_INT16, width), ir.VectorType(_INT32, width // 2)
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(sums, [halves, halves]), name)
            parts = [list(range(first, first + width // 2)) for first in range(0, lanes, width // 2)]
            cut = [[builder.bitcast(write.pick(v, part), halves) for v in (a, b)] for part in parts]
            return write.join([builder.call(function, two) for two in cut])
    half = write.splat(a.type, 16)
    high = builder.mul(builder.ashr(a, half), builder.ashr(b, half))
    low = builder.mul(builder.ashr(builder.shl(a, half), half), builder.ashr(builder.shl(b, half), half))
    return builder.add(high, low)


def _line_sums(write: Writer, pointer: Any, places: list[Any], channels: int, weights: list[Any]) -> Any:
    """The sums along one source row, with 2^-14 for their unit, and half of what is cut off added."""
    stride = 4 * channels if channels != 3 else 16
    taps = write.gather(pointer, places, _INT8, stride)
    kept = [min(c, channels - 1) for c in range(channels if channels <= 2 else 4)]
    total = write.splat(ir.VectorType(_INT32, SUMS), 1 << (LINE_SHIFT - 1))
    for first, weight in enumerate(weights):
        lanes = [stride * n + c + channels * tap for n in range(len(places)) for c in kept for tap in (first, first + 2)]
        pairs = write.builder.bitcast(write.spread(taps, lanes), total.type)
        total = write.builder.add(total, _pair_sums(write, pairs, weight))
    return total


def _line_pair(write: Writer, upper: Any, lower: Any) -> Any:
    """The sums along two rows as int16, multiples of 2^-6, in one lane."""
    builder, halves = write.builder, ir.VectorType(_INT16, 2 * SUMS)
    upper = builder.bitcast(builder.lshr(upper, write.splat(upper.type, LINE_SHIFT)), halves)
    lower = builder.bitcast(builder.shl(lower, write.splat(lower.type, 16 - LINE_SHIFT)), halves)
    mixed = write.pick(upper, [lane if lane % 2 == 0 else 2 * SUMS + lane for lane in range(2 * SUMS)], lower)
    return builder.bitcast(mixed, ir.VectorType(_INT32, SUMS))


def _splat(write: Writer, value: Any, lanes: int) -> Any:
    """A vector of a number known at run time."""
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    return write.pick(write.builder.insert_element(undefined, value, _INT32(0)), [0] * lanes)


def _fixed_block(
    write: Writer, channels: int, lines: list[Any], places: list[Any], weights: Any, k: Any, limits: list[Any]
) -> Any:
    """The pixels of a block of 8 bits."""
    builder, count = write.builder, len(places)
    each = [n for n in range(count) for _ in range(SUMS // count)]
    loaded = [write.load(weights, builder.add(k, _INT64(n * LONGEST)), ir.VectorType(_INT32, count)) for n in range(4)]
    along_x, along_y = (
        [write.pick(vector, each) if channels > 1 else vector for vector in two] for two in (loaded[:2], loaded[2:])
    )
    sums = [_line_sums(write, line, places, channels, along_x) for line in lines]
    total = write.splat(sums[0].type, 1 << (LEVEL_SHIFT - 1))
    for n, weight in enumerate(along_y):
        pairs = _line_pair(write, sums[2 * n], sums[2 * n + 1])
        total = builder.add(total, _pair_sums(write, pairs, weight))
    level = builder.ashr(total, write.splat(total.type, LEVEL_SHIFT))
    lowest, highest = (_splat(write, builder.fptosi(limit, _INT32), SUMS) for limit in limits)
    level = builder.select(builder.icmp_signed(">", level, lowest), level, lowest)
    level = builder.select(builder.icmp_signed("<", level, highest), level, highest)
    return builder.trunc(level, ir.VectorType(_INT8, SUMS))


def _share(write: Writer, total: Any, weight: Any, values: Any) -> Any:
    """A sum and a tap's share, as :func:`warpkit.kernels.taps.share` has it."""
    builder, zero = write.builder, write.splat(weight.type, 0.0)
    is_part = builder.fcmp_unordered("!=", weight, zero)
    return builder.fadd(total, builder.select(is_part, builder.fmul(weight, values), zero))


def _float_taps(write: Writer, line: Any, places: list[Any], channels: int) -> list[Any]:
    """The four taps of each pixel along a source row, one after the other."""
    item, builder = ir.FloatType(), write.builder
    if channels > 2:
        steps = [_INT64(tap * channels) for tap in range(4)]
        return [write.gather(line, [builder.add(place, step) for place in places], item, 4) for step in steps]
    taps, stride = write.gather(line, places, item, 4 * channels), 4 * channels
    lanes = [[stride * n + tap * channels + c for n in range(len(places)) for c in range(channels)] for tap in range(4)]
    return [write.pick(taps, picked) for picked in lanes]


def _float_block(
    write: Writer, channels: int, lines: list[Any], places: list[Any], weights: Any, k: Any, limits: list[Any]
) -> Any:
    """The pixels of a block of float32, bit for bit as :func:`warpkit.kernels.separable.sum_inside` has them."""
    builder, count = write.builder, len(places)
    kind = ir.VectorType(ir.FloatType(), count)
    each = [n for n in range(count) for _ in range(SUMS // count)]
    spread = [write.pick(write.load(weights, builder.add(k, _INT64(n * LONGEST)), kind), each) for n in range(8)]
    zero = write.splat(spread[0].type, 0.0)
    total = zero
    for line, weight_y in zip(lines, spread[4:], strict=True):
        sums = zero
        for weight_x, values in zip(spread[:4], _float_taps(write, line, places, channels), strict=True):
            sums = _share(write, sums, weight_x, values)
        total = _share(write, total, weight_y, sums)
    lowest, highest = (_splat(write, limit, SUMS) for limit in limits)
    total = builder.select(builder.fcmp_ordered("<", total, lowest), lowest, total)
    return builder.select(builder.fcmp_ordered(">", total, highest), highest, total)


def _write_cubic_block(write: Writer, channels: int, block: Any, values: list[Any], k: Any) -> None:
    """One block of a run, at its pixel ``k``."""
    lines, target, offsets, weights, limits, lead, row_step = values
    builder, count = write.builder, block_length.py_func(channels)
    place = builder.gep(offsets, [k])
    places = [builder.sext(builder.load(builder.gep(place, [_INT64(n)])), _INT64) for n in range(count)]
    for n in (0,) if channels <= 2 else (0, count // 2):
        write.prefetch(builder.gep(lines[1], [builder.add(places[n], lead)]))
    there = builder.gep(target, [builder.mul(k, _INT64(channels))])
    if channels > 2:
        write.prefetch(builder.gep(there, [row_step]), for_writing=True)
    put(write, block(write, channels, lines, places, weights, k, limits), there, channels, None)


def _make_cubic_run(channels: int) -> Any:
    """The intrinsic for pixels of so many channels, from pixel ``start`` of the buffers to ``stop``, at least a block later;
    the last block may overlap the one before."""

    @intrinsic
    def run(
        typing_context, source, first, target, there, offsets, fixed, floats, start, stop, width, lowest, highest,
        lead, row_step,
    ):  # fmt: skip
        def generate(context, builder, signature, arguments):
            write = Writer(context, builder, context.codegen().magic_tuple()[2])
            first, there, start, stop, width, *limits, lead, row_step = (arguments[n] for n in (1, 3, *range(7, 14)))
            count = block_length.py_func(channels)
            line = write.pointer(signature.args[0], arguments[0], first)
            pitch = builder.mul(width, _INT64(channels))
            lines = [line]
            for _ in range(3):
                lines.append(builder.gep(lines[-1], [pitch]))
            target = write.pointer(signature.args[2], arguments[2], there)
            is_fixed = isinstance(source.dtype, types.Integer)
            block = _fixed_block if is_fixed else _float_block
            buffers = [write.pointer(signature.args[n], arguments[n], _INT64(0)) for n in (4, 5 if is_fixed else 6)]
            values = [lines, target, *buffers, limits, lead, row_step]
            last = builder.sub(stop, _INT64(count))
            before = builder.block
            head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
            builder.branch(head)
            builder.position_at_end(head)
            k = builder.phi(_INT64)
            k.add_incoming(start, before)
            builder.cbranch(builder.icmp_signed("<", k, stop), body, done)
            builder.position_at_end(body)
            here = builder.select(builder.icmp_signed("<", k, last), k, last)
            _write_cubic_block(write, channels, block, values, here)
            k.add_incoming(builder.add(here, _INT64(count)), builder.block)
            builder.branch(head)
            builder.position_at_end(done)
            return context.get_dummy_value()

        integer, real = types.int64, types.float32
        numbers = (integer, integer, integer, real, real, integer, integer)
        return types.void(source, integer, target, integer, offsets, fixed, floats, *numbers), generate

    return run


if config.DISABLE_JIT:

    def _unpair(lane: int) -> tuple[int, int]:
        """Both int16 of an int32."""
        low = int(lane) & 0xFFFF
        return low - 2**16 * (low >= 2**15), int(lane) >> 16

    def _make_cubic_run(channels: int) -> Any:
        def run(
            source, first, target, there, offsets, fixed, floats, start, stop, width, lowest, highest, lead, row_step
        ):  # fmt: skip
            for k in range(start, stop):
                (a, c), (b, d), (e, f), (g, h) = (_unpair(fixed[k + n * LONGEST]) for n in range(4))
                weights = [floats[k + n * LONGEST] for n in range(8)]
                size = width * channels
                for channel in range(channels):
                    at = int(first) + int(offsets[k]) + channel
                    taps = [[source[at + m * size + q * channels] for q in range(4)] for m in range(4)]
                    if is_integer(source[0]):
                        lines = [fixed_sum((a, b, c, d), *map(int, line), LINE_SHIFT) for line in taps]
                        value = fixed_sum((e, f, g, h), *lines, LEVEL_SHIFT)
                    else:
                        lines = [sum_of_shares(weights[:4], line) for line in taps]
                        value = sum_of_shares(weights[4:], lines)
                    target[there + k * channels + channel] = min(max(value, lowest), highest)

        return run

    def sum_of_shares(weights: list[Any], values: list[Any]) -> Any:
        """As the vectors of a block have it."""
        return sum((share(*pair) for pair in zip(weights, values, strict=True)), np.float32(0))


cubic_run_of_1, cubic_run_of_2, cubic_run_of_3, cubic_run_of_4 = (_make_cubic_run(channels) for channels in (1, 2, 3, 4))
