"""Explicit vectors: bilinear sampling of a few neighbouring output pixels at once.

LLVM makes vectors of most row loops by itself, but not of these: it would gather single values, where one load can hold both
neighbours of a pixel, and it does not find the 16-bit arithmetic that 8-bit images need. So this file writes the
intermediate code of one *block* by hand. It has the same vectors for all processors, which LLVM cuts to their size; the one
instruction with another name on each, a rounding high multiplication of 16-bit integers, is looked up in
``_ROUNDING_MULTIPLY`` among the features that the target has.

The bits are those of :func:`warpkit.kernels.taps.bilinear`. Loads stay within the array if :func:`fits_blocks` said so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from .compiling import inlined
from .taps import FIXED_BITS, LEVEL_BITS, bilinear, to_pixel

LANES = 4  # pixels of three and four channels, and four channels at a time of those with more
LARGEST_OFFSET = 2**31 - 1
LONGEST_RUN = 2**16 - 2.0

# The name of x y / 2^15, rounded, on lanes of int16; the feature that has it, and how many lanes it takes.
_ROUNDING_MULTIPLY = [
    ("+avx512bw", "llvm.x86.avx512.pmul.hr.sw.512", 32),
    ("+avx2", "llvm.x86.avx2.pmul.hr.sw", 16),
    ("+ssse3", "llvm.x86.ssse3.pmul.hr.sw.128", 8),
    ("+neon", "llvm.aarch64.neon.sqrdmulh.v8i16", 8),
]

_INT16, _INT32, _INT64 = (ir.IntType(bits) for bits in (16, 32, 64))


@inlined
def block_pixels(channels, below_one):
    """How many pixels a block has, for weights of the type of ``below_one``."""
    pixels = 8 if channels <= 2 else 4
    return 2 * pixels if type(below_one)(0.5) == 0 else pixels


@inlined
def fits_blocks(x_low, x_high, y_low, y_high, height, width, channels):
    """Whether offsets within a run fit 32 bits, and all loads the source: with three channels they take one value too many."""
    return (
        (y_high - y_low + 2.0) * width * channels + (x_high - x_low + 2.0) * channels < LARGEST_OFFSET
        and x_high - x_low < LONGEST_RUN
        and y_high - y_low < LONGEST_RUN
        and (channels != 3 or y_high < height - 2 or x_high < width - 2)
    )


class Writer:
    """An LLVM builder with what blocks are made of; vectors have as many lanes as their operands."""

    def __init__(self, context: Any, builder: Any, features: str) -> None:
        self.context, self.builder, self.features = context, builder, features.split(",")

    def pointer(self, array: Any, value: Any, index: Any) -> Any:
        return self.builder.gep(self.context.make_array(array)(self.context, self.builder, value).data, [index])

    def load(self, pointer: Any, offset: Any, kind: ir.Type) -> Any:
        """A vector or a large integer from any address."""
        place = self.builder.bitcast(self.builder.gep(pointer, [offset]), kind.as_pointer())
        loaded = self.builder.load(place)
        loaded.align = 1
        return loaded

    def store(self, value: Any, pointer: Any, offset: int) -> None:
        place = self.builder.bitcast(self.builder.gep(pointer, [_INT64(offset)]), value.type.as_pointer())
        self.builder.store(value, place).align = 1

    def prefetch(self, pointer: Any, for_writing: bool = False) -> None:
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), _INT32, _INT32, _INT32]),
            "llvm.prefetch.p0",
        )
        byte = self.builder.bitcast(pointer, ir.IntType(8).as_pointer())
        self.builder.call(function, [byte, _INT32(int(for_writing)), _INT32(3), _INT32(1)])

    def splat(self, vector: ir.VectorType, value: Any) -> Any:
        return ir.Constant(vector, [value] * vector.count)

    def pick(self, vector: Any, lanes: list[int], other: Any = None) -> Any:
        mask = ir.Constant(ir.VectorType(_INT32, len(lanes)), lanes)
        return self.builder.shuffle_vector(vector, vector if other is None else other, mask)

    def spread(self, vector: Any, lanes: list[int]) -> Any:
        """Some lanes; bytes among zeros, so that they become 16-bit integers."""
        if bits_of_item(vector.type.element) > 8:
            return self.pick(vector, lanes)
        zero = ir.Constant(vector.type, None)
        bytes_and_zeros = self.pick(vector, [place for lane in lanes for place in (lane, vector.type.count)], zero)
        return self.builder.bitcast(bytes_and_zeros, ir.VectorType(_INT16, len(lanes)))

    def join(self, parts: list[Any]) -> Any:
        """One vector from several of one size, a power of two of them."""
        while len(parts) > 1:
            lanes = list(range(2 * parts[0].type.count))
            parts = [self.pick(a, lanes, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def gather(self, pointer: Any, offsets: list[Any], item: ir.Type, count: int) -> Any:
        """``count`` neighbouring items from each offset, in one vector."""
        if (bits := bits_of_item(item) * count) > 64:
            return self.join([self.load(pointer, offset, ir.VectorType(item, count)) for offset in offsets])
        vector = ir.Constant(ir.VectorType(ir.IntType(bits), len(offsets)), ir.Undefined)
        for lane, offset in enumerate(offsets):
            vector = self.builder.insert_element(vector, self.load(pointer, offset, ir.IntType(bits)), _INT32(lane))
        return self.builder.bitcast(vector, ir.VectorType(item, count * len(offsets)))

    def rounding_multiply(self, a: Any, b: Any) -> Any:
        """(a b + 2^14) / 2^15, rounded down, of int16."""
        lanes = a.type.count
        for feature, name, width in _ROUNDING_MULTIPLY:
            if feature in self.features and width <= lanes:
                kind = ir.VectorType(_INT16, width)
                function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(kind, [kind, kind]), name)
                parts = [list(range(first, first + width)) for first in range(0, lanes, width)]
                return self.join([self.builder.call(function, [self.pick(a, part), self.pick(b, part)]) for part in parts])
        wide = ir.VectorType(_INT32, lanes)
        product = self.builder.mul(self.builder.sext(a, wide), self.builder.sext(b, wide))
        rounded = self.builder.add(product, self.splat(wide, 1 << (FIXED_BITS - 1)))
        return self.builder.trunc(self.builder.ashr(rounded, self.splat(wide, FIXED_BITS)), a.type)

    def lerp(self, a: Any, b: Any, weight: Any) -> Any:
        """As :func:`warpkit.kernels.taps.lerp` for finite values but -0.0, else not finite; or its fixed-point twin."""
        if isinstance(a.type.element, ir.IntType):
            return self.builder.add(a, self.rounding_multiply(self.builder.sub(b, a), weight))
        name = f"llvm.fmuladd.v{a.type.count}f{bits_of_item(a.type.element)}"
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
        return self.builder.call(function, [weight, self.builder.fsub(b, a), a])

    def is_regular(self, result: Any, first: Any) -> Any:
        """Whether no lane of the result is NaN or infinite and no first tap -0.0, which lerps would make 0.0."""
        write, lanes = self.builder, result.type.count
        if isinstance(result.type.element, ir.IntType):
            return ir.Constant(ir.IntType(1), 1)
        is_wrong = write.fcmp_unordered("!=", write.fsub(result, result), self.splat(result.type, 0.0))
        bits = ir.VectorType(ir.IntType(bits_of_item(result.type.element)), lanes)
        minus_zero = self.splat(bits, 1 << (bits.element.width - 1))
        is_wrong = write.or_(is_wrong, write.icmp_unsigned("==", write.bitcast(first, bits), minus_zero))
        mask = ir.IntType(lanes)
        return write.icmp_unsigned("==", write.bitcast(is_wrong, mask), mask(0))

    def widen(self, vector: Any, item: types.Type, real: ir.Type) -> Any:
        """Pixels as the numbers they are computed in: fixed point for 8 bits, else ``real``."""
        write, wide = self.builder, ir.VectorType(real, vector.type.count)
        if item is types.uint8:
            return write.shl(vector, self.splat(wide, LEVEL_BITS))
        if isinstance(item, types.Integer):
            return write.sitofp(vector, wide) if item.signed else write.uitofp(vector, wide)
        return vector

    def narrow(self, vector: Any, item: types.Type, like: ir.Type) -> Any:
        """As :func:`warpkit.kernels.taps.to_pixel`."""
        write, lanes = self.builder, vector.type.count
        pixels = ir.VectorType(like, lanes)
        if item is types.uint8:
            half = self.splat(vector.type, 1 << (LEVEL_BITS - 1))
            return write.trunc(write.lshr(write.add(vector, half), self.splat(vector.type, LEVEL_BITS)), pixels)
        if isinstance(item, types.Integer):
            shifted = write.fadd(vector, self.splat(vector.type, 0.5))
            whole = write.fptosi(shifted, ir.VectorType(_INT32, lanes))
            is_above = write.fcmp_ordered("<", shifted, write.sitofp(whole, vector.type))
            return write.trunc(write.sub(whole, write.zext(is_above, whole.type)), pixels)
        return vector


def bits_of_item(item: ir.Type) -> int:
    return item.width if isinstance(item, ir.IntType) else {"float": 32, "double": 64}[str(item)]


def _neighbours(write: Writer, pointer: Any, offsets: list[Any], item: ir.Type, channels: int, step: Any) -> list[Any]:
    """The pixels at all offsets and their right neighbours, each in one vector; of 8 bits, as 16-bit integers.

    One load holds both neighbours of one or two channels, and of three or four with 8 bits; else each has its own. Pixels of
    three channels get a fourth lane without meaning.
    """
    count, is_small = len(offsets), bits_of_item(item) == 8
    if channels <= 2 or (channels <= LANES and is_small):
        stride = 2 * channels if channels <= 2 else 2 * LANES
        pairs = write.gather(pointer, offsets, item, stride)
        lanes = [stride * n + min(c, channels - 1) for n in range(count) for c in range(stride // 2)]
        sides = [write.spread(pairs, [lane + first for lane in lanes]) for first in (0, channels)]
    else:
        right = [write.builder.add(offset, step) for offset in offsets]
        sides = [write.gather(pointer, places, item, LANES) for places in (offsets, right)]
        if is_small:
            sides = [write.spread(side, list(range(LANES * count))) for side in sides]
    return sides


def put(write: Writer, pixels: Any, pointer: Any, channels: int, step: Any) -> None:
    """Store a block: contiguous up to four channels, else four channels of each pixel."""
    count = pixels.type.count
    if channels > LANES:
        for n in range(count // LANES):
            place = write.builder.gep(pointer, [write.builder.mul(step, _INT64(n))])
            write.store(write.pick(pixels, list(range(LANES * n, LANES * n + LANES))), place, 0)
    elif channels == 3:
        kept = [lane for lane in range(count) if lane % LANES < 3]
        write.store(write.pick(pixels, kept[: count // 2]), pointer, 0)
        write.store(write.pick(pixels, kept[count // 2 :]), pointer, count // 2)
    else:
        write.store(pixels, pointer, 0)


class _RunTypes(NamedTuple):
    """What a run is made of: whether of copies or of lerps, Numba's type of a pixel value, LLVM's, LLVM's of a weight, and
    pixels in a block."""

    is_nearest: bool

    item: types.Type
    pixel: ir.Type
    real: ir.Type
    pixels: int


def _write_block(write: Writer, channels: int, types_of: _RunTypes, values: list[Any], k: Any) -> Any:
    """One block of a run, at its pixel ``k``; returns whether it is regular."""
    above, below, target, offsets, weights_x, weights_y, lead, row_step, step = values
    builder = write.builder
    place = builder.gep(offsets, [k])
    places = [builder.sext(builder.load(builder.gep(place, [_INT64(n)])), _INT64) for n in range(types_of.pixels)]
    for n in (0,) if channels <= 2 else (0, types_of.pixels // 2):
        write.prefetch(builder.gep(above, [builder.add(places[n], lead)]))
    there = builder.gep(target, [builder.mul(k, step)])
    if channels > 2:
        write.prefetch(builder.gep(there, [row_step]), for_writing=True)
    if types_of.is_nearest:
        put(
            write,
            write.gather(above, places, types_of.pixel, min(channels, LANES) if channels != 3 else LANES),
            there,
            channels,
            step,
        )
        return ir.Constant(ir.IntType(1), 1)
    rows = [
        [
            write.widen(side, types_of.item, types_of.real)
            for side in _neighbours(write, start, places, types_of.pixel, channels, step)
        ]
        for start in (above, below)
    ]
    each = [n for n in range(types_of.pixels) for _ in range(channels if channels <= 2 else LANES)]
    kind = ir.VectorType(types_of.real, types_of.pixels)
    across, down = (write.pick(write.load(weights, k, kind), each) for weights in (weights_x, weights_y))
    (top_left, top_right), (bottom_left, bottom_right) = rows
    value = write.lerp(write.lerp(top_left, top_right, across), write.lerp(bottom_left, bottom_right, across), down)
    put(write, write.narrow(value, types_of.item, types_of.pixel), there, channels, step)
    return write.is_regular(value, top_left)


def _make_run(channels: int, is_nearest: bool = False) -> Any:
    """The intrinsic for pixels of so many channels, bilinear or nearest; 5 stands for four channels at a time of any number.

    It samples from pixel ``k`` of the buffers on, at least a block before ``stop``, and returns ``stop``, or an earlier k: its
    block is not regular, and left to :func:`block_by_pixels`. The last block may overlap the one before.
    """

    @intrinsic
    def run(typing_context, source, first, target, there, offsets, weights_x, weights_y, k, stop, pitch, step, lead, row_step):
        def generate(context, builder, signature, arguments):
            write = Writer(context, builder, context.codegen().magic_tuple()[2])
            first, there, start, stop, pitch, step, lead, row_step = (arguments[n] for n in (1, 3, *range(7, 13)))
            item, weight = signature.args[0].dtype, signature.args[5].dtype
            count = int(block_pixels.py_func(channels, np.dtype(weight.name).type(0)))
            types_of = _RunTypes(is_nearest, item, context.get_data_type(item), context.get_data_type(weight), count)
            above = write.pointer(signature.args[0], arguments[0], first)
            target = write.pointer(signature.args[2], arguments[2], there)
            buffers = [write.pointer(signature.args[n], arguments[n], _INT64(0)) for n in (4, 5, 6)]
            values = [above, builder.gep(above, [pitch]), target, *buffers, lead, row_step, step]
            last = builder.sub(stop, _INT64(count))

            before = builder.block
            head, body, follow, done = (builder.append_basic_block(name) for name in ("head", "body", "follow", "done"))
            builder.branch(head)
            builder.position_at_end(head)
            k = builder.phi(_INT64)
            k.add_incoming(start, before)
            builder.cbranch(builder.icmp_signed("<", k, stop), body, done)
            builder.position_at_end(body)
            here = builder.select(builder.icmp_signed("<", k, last), k, last)
            is_regular = _write_block(write, channels, types_of, values, here)
            builder.cbranch(is_regular, follow, done)
            reached = builder.block
            builder.position_at_end(follow)
            k.add_incoming(builder.add(here, _INT64(count)), follow)
            builder.branch(head)
            builder.position_at_end(done)
            end = builder.phi(_INT64)
            end.add_incoming(stop, head)
            end.add_incoming(here, reached)
            return end

        integer = types.int64
        return integer(source, integer, target, integer, offsets, weights_x, weights_y, *[integer] * 6), generate

    return run


@inlined
def block_by_pixels(source, first, target, there, offsets, weights_x, weights_y, k, pitch, step, cval):
    """What a block is; it takes over where a block says that its result is not regular."""
    real = type(cval[0])
    for n in range(k, k + block_pixels(step, weights_x[k])):
        for c in range(step):
            at = first + np.int64(offsets[n]) + c
            value = bilinear(
                real(source[at]), real(source[at + step]), real(source[at + pitch]), real(source[at + pitch + step]),
                weights_x[n], weights_y[n],
            )  # fmt: skip
            target[there + (n - k) * step + c] = to_pixel(value, source[0])


if config.DISABLE_JIT:

    def _make_run(channels: int, is_nearest: bool = False) -> Any:
        def run(source, first, target, there, offsets, weights_x, weights_y, k, stop, pitch, step, lead, row_step):
            if not is_nearest:
                return min(k, stop - block_pixels(channels, weights_x[k]))
            for n in range(k, stop):
                for c in range(min(channels, LANES)):
                    target[there + n * step + c] = source[first + int(offsets[n]) + c]
            return stop

        return run


run_of_1, run_of_2, run_of_3, run_of_4, run_of_any = (_make_run(channels) for channels in (1, 2, 3, 4, 5))
copies_of_1, copies_of_2, copies_of_3, copies_of_4, copies_of_any = (_make_run(channels, True) for channels in (1, 2, 3, 4, 5))
