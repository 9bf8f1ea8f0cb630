"""The only file that knows which package compiles for CUDA: numba-cuda, behind ``numba.cuda``.

Importing it needs that package, but neither a device nor a driver. numba-cuda is in maintenance; its successor,
``numba_cuda_mlir``, has the same names: a change of package is a change of this file.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

INSTALL = "pip install 'numba-warpkit[cuda12]', or [cuda13] for CUDA 13"

if find_spec("numba_cuda") is None:
    raise ImportError(f"arrays on a GPU need the package numba-cuda: {INSTALL}")

from numba import cuda as cuda  # noqa: E402, once it is known to be there

# Functions that use what only CUDA has; all others that kernels call are shared with the CPU.
device = cuda.jit(device=True)
kernel = cuda.jit

# The type of arrays that a block of threads shares.
FLOAT64 = cuda.types.float64

# Numba warns of every launch of few blocks; here small images are meant.
cuda.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0

DLPACK_DEFAULT_STREAM = 1

IS_SIMULATOR = bool(cuda.config.ENABLE_CUDASIM)


class Memory(NamedTuple):
    """An array on a device, as its owner describes it, or a part of it; strides and offset in elements, not negative."""

    owner: Any
    pointer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]
    stream: int
    offset: int = 0

    def part(self, first: int, count: int) -> Memory:
        """``count`` of the elements along the first axis."""
        return self._replace(shape=(count, *self.shape[1:]), offset=self.offset + first * self.strides[0])

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def extent(self) -> int:
        """Elements from the first to the last, both included."""
        return 1 + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))


def require_device() -> None:
    """Raise if there is no device to run on, saying why."""
    if cuda.is_available():
        return
    try:
        cuda.current_context()
        reason = "no device found"
    except Exception as error:  # whatever a missing or broken driver raises is what the user should read
        reason = " ".join(str(error).split())
    raise RuntimeError(f"arrays on a GPU need an NVIDIA driver and a device: {reason}")


def flat(memory: Memory) -> Any:
    """All elements from first to last as a contiguous 1-D array for kernels, without a copy; bool as uint8."""
    dtype = np.dtype(np.uint8) if memory.dtype.kind == "b" else memory.dtype
    if IS_SIMULATOR:
        host = memory.owner.view(dtype) if memory.owner.dtype != dtype else memory.owner
        whole = np.lib.stride_tricks.as_strided(host._ary, (memory.offset + memory.extent,), (dtype.itemsize,))
        return type(host)(whole[memory.offset :])
    first = memory.pointer + memory.offset * dtype.itemsize
    description = {"shape": (memory.extent,), "typestr": dtype.str, "data": (first, False), "version": 2}
    return cuda.from_cuda_array_interface(description, owner=memory.owner, sync=False)


def interface(array: Any) -> dict[str, Any] | None:
    """The CUDA array interface of an array, or what DLPack says in its terms; None for an array that has neither.

    Through DLPack the owner makes the elements ready for the default stream.
    """
    if IS_SIMULATOR and hasattr(array, "__cuda_ndarray__"):
        place = (array.ctypes.data, not array.flags.writeable)
        return {"shape": array.shape, "strides": array.strides, "typestr": array.dtype.str, "data": place}
    found: dict[str, Any] | None = getattr(array, "__cuda_array_interface__", None)
    if found is None and hasattr(array, "__dlpack__"):
        from cuda.core.utils import StridedMemoryView  # numba-cuda needs it too

        view = StridedMemoryView.from_dlpack(array, stream_ptr=DLPACK_DEFAULT_STREAM)
        strides = None if view.strides is None else tuple(step * view.dtype.itemsize for step in view.strides)
        place = (view.ptr, view.readonly)
        return {"shape": view.shape, "strides": strides, "typestr": view.dtype.str, "data": place}
    return found


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """A new array of Numba's."""
    return cuda.device_array(shape, dtype)


def upload(array: NDArray[Any], stream: int) -> Any:
    """A copy of a host array as one of Numba's."""
    return cuda.to_device(array, stream=_stream(stream))


def download(array: Any, stream: int) -> NDArray[Any]:
    """A copy of one of Numba's arrays on the host, once all work before it on the stream is done."""
    launched = _stream(stream)
    host: NDArray[Any] = array.copy_to_host(stream=launched)
    if launched:
        launched.synchronize()
    return host


def synchronize() -> None:
    """Wait for all work on the device."""
    cuda.synchronize()


def launch(
    function: Any, blocks: tuple[int, ...], threads: tuple[int, ...], stream: int, shared_bytes: int, arguments: tuple[Any, ...]
) -> None:
    """Start a kernel on a stream, given by its handle."""
    function[blocks, threads, _stream(stream), shared_bytes](*arguments)


def _stream(handle: int) -> Any:
    """0 is the default stream; so are the two handles that the CUDA array interface has for it."""
    return 0 if handle in (0, 1) or IS_SIMULATOR else cuda.external_stream(handle)
