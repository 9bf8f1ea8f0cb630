"""How kernels are compiled and where the machine code is kept.

The decorators:

``shared``
    per-point functions of the maps and of :mod:`taps`, in the dialect that the CPU and CUDA targets both compile: no
    exceptions, no allocation, no slicing, ``math`` for scalars.
``row_loop``
    loops over a row buffer. Their array arguments never overlap, and telling LLVM so is what lets it use vectors.
``row_loop_inlined``
    the same for a loop with a single caller: arguments take time.
``shared_sum``, ``row_sum``
    the same for long sums, whose terms LLVM may add in another order, to have them in vectors: the order depends on the
    machine, not on the call.
``allocating``
    what makes arrays for others; only this and drivers may.
``driver``
    entry points called from Python: release the GIL, kept in a cache on disk.

All but drivers are parts: kernels call them compiled; Python, which may hand them intervals or tensors, as they are written.

None of the others allows LLVM to contract or reorder floating point: the path without border checks and the path with them
must give the same bits.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import _dynfunc, config, njit, types
from numba.core import cgutils
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.cpu import CPUTargetOptions
from numba.core.options import TargetOptions
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic

_DIGEST_SIZE = hashlib.sha256().digest_size
_OPTIONS = {"nogil": True, "error_model": "numpy"}

if not hasattr(CPUTargetOptions, "noalias"):
    # Numba has the flag (its own parallel loops set it) but no public option that sets it.
    CPUTargetOptions.noalias = TargetOptions.Mapping("noalias")


class _PartLibrary(JITCodeLibrary):  # type: ignore[misc]
    """LLVM's code of a function, optimised, for its callers: machine code is made of theirs only."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class _PartCompiler(Compiler):  # type: ignore[misc]
    """Compiles what only kernels call. A driver takes in a hundred functions; machine code and wrappers of each, which never
    run, would take half as long again."""

    def __init__(self, typing_context: Any, target_context: Any, library: Any, *arguments: Any) -> None:
        super().__init__(typing_context, target_context, _PartLibrary(target_context.codegen(), "part"), *arguments)
        self.state.targetctx.get_executable = _no_executable


def _no_executable(library: Any, description: Any, environment: Any) -> Any:
    """What callers find the function by; it leads to no code."""
    return _dynfunc.make_function(description.lookup_module(), description.qualname, "", 0, environment, (library,))


class _Part(CPUDispatcher):  # type: ignore[misc]
    """Compiled for kernels, and for Python the function as it is written."""

    def __call__(self, *arguments: Any) -> Any:
        return self.py_func(*arguments)


def _part(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    options |= {**_OPTIONS, "nopython": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

    def decorate(function: Callable[..., Any]) -> Any:
        return function if config.DISABLE_JIT else _Part(function, targetoptions=options, pipeline_class=_PartCompiler)

    return decorate


# Only what allocates counts references: counting is atomic, and would cost more than a short row.
allocating = _part()
shared = _part(_nrt=False)
shared_sum = _part(_nrt=False, fastmath={"reassoc"})
inlined = _part(_nrt=False, forceinline=True)
row_loop = _part(_nrt=False, noalias=True)
row_loop_inlined = _part(_nrt=False, noalias=True, forceinline=True)
row_sum = _part(_nrt=False, noalias=True, fastmath={"reassoc"})


def driver(function: Callable[..., Any]) -> Any:
    """Compile ``function`` lazily, once per set of argument types, and keep the result on disk where that is possible."""
    compiled = njit(**_OPTIONS)(function)
    if not config.DISABLE_JIT:
        try:
            compiled._cache = _KernelCache(function)
        except (RuntimeError, OSError):
            pass  # no writable directory: compile in every process
    return compiled


if config.DISABLE_JIT:

    def prefetch(array: Any, index: int) -> None:
        """Nothing to do without compiled code."""

    def bits_of(number: float) -> Any:
        """The bits of a float64 as a uint64."""
        return np.float64(number).view(np.uint64)

    def float_of(bits: Any) -> Any:
        """The float64 that has these bits."""
        return np.uint64(bits).view(np.float64)

    def int_bits(number: Any) -> Any:
        """The bits of a float32 as an int32."""
        return np.float32(number).view(np.int32)

    def is_integer(number: Any) -> bool:
        """Whether a number is of an integer type; known to the compiler."""
        return isinstance(number, np.integer)

    def multiply_add(a: Any, b: Any, c: Any) -> Any:
        """a b + c of one floating type or of int32."""
        return a * b + c

    def pick(values: Any, k: Any) -> Any:
        """One of a tuple of numbers of one type."""
        return values[k]

else:

    @intrinsic
    def prefetch(typing_context, array, index):
        """Ask for the cache line of ``array[index]``, which may lie outside: a prefetch never faults. 1-D, contiguous."""

        def generate(context, builder, signature, arguments):
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            pointer = builder.gep(data, [arguments[1]])
            byte = builder.bitcast(pointer, ir.IntType(8).as_pointer())
            int32 = ir.IntType(32)
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), [byte.type, int32, int32, int32]), "llvm.prefetch.p0"
            )
            builder.call(function, [byte, int32(0), int32(3), int32(1)])
            return context.get_dummy_value()

        return types.void(array, types.int64), generate

    @intrinsic
    def bits_of(typing_context, number):
        """The bits of a float64 as a uint64."""

        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], ir.IntType(64))

        return types.uint64(types.float64), generate

    @intrinsic
    def float_of(typing_context, bits):
        """The float64 that has these bits."""

        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], ir.DoubleType())

        return types.float64(types.uint64), generate

    @intrinsic
    def int_bits(typing_context, number):
        """The bits of a float32 as an int32."""

        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], ir.IntType(32))

        return types.int32(types.float32), generate

    @intrinsic
    def is_integer(typing_context, number):
        """Whether a number is of an integer type; known to the compiler."""

        def generate(context, builder, signature, arguments):
            return context.get_constant(types.boolean, isinstance(number, types.Integer))

        return types.boolean(number), generate

    @intrinsic
    def multiply_add(typing_context, a, b, c):
        """a b + c of one floating type, rounded once where the processor can; or of int32, not widened as Numba would."""
        number = c if c in (types.float32, types.int32) else types.float64

        def generate(context, builder, signature, arguments):
            if number is types.int32:
                return builder.add(builder.mul(*arguments[:2]), arguments[2])
            kind = context.get_value_type(number)
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fmuladd.f{number.bitwidth}"
            )
            return builder.call(function, arguments)

        return number(number, number, number), generate

    @intrinsic
    def pick(typing_context, values, k):
        """One of a tuple of numbers of one type: without a check, and without the memory that an index found at run time
        would take on a GPU."""

        def generate(context, builder, signature, arguments):
            index = arguments[1]
            picked = builder.extract_value(arguments[0], 0)
            for n in range(1, len(signature.args[0])):
                is_this = builder.icmp_signed("==", index, ir.Constant(index.type, n))
                picked = builder.select(is_this, builder.extract_value(arguments[0], n), picked)
            return picked

        return values.dtype(values, k), generate


def _kernel_sources() -> str:
    """Digest of all files in this folder: Numba's own stamp would miss a change in a file that a driver calls into."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _CheckedCacheFile(IndexDataCacheFile):  # type: ignore[misc]
    """Numba's cache files, each behind a digest of itself: damaged machine code, even a damaged pickle, can end the process."""

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_index(self) -> dict[Any, str]:
        try:
            version, stamp, overloads = self._read(self._index_path)
        except FileNotFoundError:
            return {}
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _write(self, path: str, content: Any) -> None:
        payload = self._dump(content)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(payload).digest() + payload)

    def _read(self, path: str) -> Any:
        content = Path(path).read_bytes()
        digest, payload = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
        if hashlib.sha256(payload).digest() != digest:
            raise ValueError(f"{path} is damaged")
        return pickle.loads(payload)


class _KernelCache(FunctionCache):  # type: ignore[misc]
    """Numba's disk cache, keyed by all kernel sources; a damaged or unwritable cache costs a compilation, not an error."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _CheckedCacheFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=_kernel_sources(),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # damaged, or written by what cannot be read any more
            self._start_anew()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:
            pass  # disk full or read-only by now

    def _start_anew(self) -> None:
        try:
            self.flush()
        except OSError:
            pass
