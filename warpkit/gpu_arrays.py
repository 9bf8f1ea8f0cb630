"""Arrays on a GPU: what they are, whose they are, and new ones of the same library.

Arrays are read through ``__cuda_array_interface__`` (CuPy, PyTorch, JAX, Numba). A library is found by the type of the caller's
array, so it has been imported already; this file imports none.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import cuda_target
from .kernels.cuda_target import Memory


class Numba:
    """Numba's own device arrays; also what users of any other library get that only has the interface."""

    def stream(self, array: Any) -> int:
        """The handle of the stream on which work for ``array`` is to run."""
        interface = getattr(array, "__cuda_array_interface__", {})
        return int(interface.get("stream") or 0)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any], like: Any) -> Any:
        """A new array on the device of ``like``."""
        return cuda_target.empty(shape, dtype)

    def upload(self, array: NDArray[Any], like: Any) -> Any:
        """A copy of a host array, ordered on the stream of ``like``."""
        return cuda_target.upload(array, self.stream(like))

    def download(self, array: Any, stream: int) -> NDArray[Any]:
        """A copy on the host, once all work on the stream is done."""
        return cuda_target.download(array, stream)

    def result(self, array: Any) -> Any:
        """What the caller gets for an array that :meth:`empty` made."""
        return array


class CuPy(Numba):
    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any], like: Any) -> Any:
        return sys.modules["cupy"].empty(shape, dtype)

    def upload(self, array: NDArray[Any], like: Any) -> Any:
        return sys.modules["cupy"].asarray(array)

    def download(self, array: Any, stream: int) -> NDArray[Any]:
        host: NDArray[Any] = sys.modules["cupy"].asnumpy(array)
        return host


class Torch(Numba):
    def stream(self, array: Any) -> int:
        return int(sys.modules["torch"].cuda.current_stream(array.device).cuda_stream)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any], like: Any) -> Any:
        torch = sys.modules["torch"]
        return torch.empty(shape, dtype=getattr(torch, dtype.name), device=like.device)

    def upload(self, array: NDArray[Any], like: Any) -> Any:
        return sys.modules["torch"].tensor(array, device=like.device)

    def download(self, array: Any, stream: int) -> NDArray[Any]:
        host: NDArray[Any] = array.cpu().numpy()
        return host


class Jax(Numba):
    """JAX's arrays never change, so results are made by Numba and copied once by JAX; its streams are its own, so we wait."""

    def stream(self, array: Any) -> int:
        if hasattr(array, "block_until_ready"):  # not an array that Numba made
            array.block_until_ready()
        return 0

    def result(self, array: Any) -> Any:
        cuda_target.synchronize()
        return sys.modules["jax"].numpy.array(array)


_LIBRARIES = {"cupy": CuPy(), "torch": Torch(), "jax": Jax(), "jaxlib": Jax()}
_NUMBA = Numba()


def library_of(array: Any) -> Numba:
    """The library that an array is of."""
    return _LIBRARIES.get(type(array).__module__.partition(".")[0], _NUMBA)


def memory(name: str, array: Any) -> Memory:
    """Where an array's elements are; error messages call it ``name``.

    Raises
    ------
    TypeError
        If it has no interface that kernels can read, or a mask.
    ValueError
        If its strides are negative or no multiples of the size of an element.
    """
    interface = cuda_target.interface(array)
    if interface is None:
        raise TypeError(f"{name} must be an array on the GPU, as the image is, got {type(array).__name__}")
    if interface.get("mask") is not None:
        raise TypeError(f"{name} must be a plain array, got a masked array; fill it first")
    dtype = np.dtype(interface["typestr"])
    shape = tuple(int(n) for n in interface["shape"])
    strides = interface.get("strides")
    if strides is None:
        strides = tuple(dtype.itemsize * int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape)))
    if not dtype.isnative:
        raise TypeError(f"{name} must have the machine's byte order, got dtype {dtype}")
    if any(step < 0 or step % dtype.itemsize for step in strides) and 0 not in shape:
        raise ValueError(
            f"{name} must have strides that are not negative and whole elements, got {strides} bytes; copy it first"
        )
    elements = tuple(step // dtype.itemsize for step in strides)
    return Memory(array, interface["data"][0], shape, elements, dtype, library_of(array).stream(array))


def empty(shape: tuple[int, ...], dtype: Any, like: Memory) -> Memory:
    """A new array of the library and on the device of ``like``."""
    return memory("array", library_of(like.owner).empty(shape, np.dtype(dtype), like.owner))._replace(stream=like.stream)


def download(array: Memory) -> NDArray[Any]:
    """A copy of a contiguous array on the host."""
    return library_of(array.owner).download(array.owner, array.stream).reshape(array.shape)


def overlap(a: Memory, b: Memory) -> bool:
    """Whether two arrays may share elements."""
    (first, first_end), (second, second_end) = ((m.pointer, m.pointer + m.extent * m.dtype.itemsize) for m in (a, b))
    return first < second_end and second < first_end


def is_read_only(array: Any) -> bool:
    interface = cuda_target.interface(array)
    return interface is not None and bool(interface["data"][1])


def is_contiguous(array: Memory) -> bool:
    """Whether the elements follow one another, the last axis fastest."""
    expected = 1
    for n, step in zip(reversed(array.shape), reversed(array.strides), strict=True):
        if n != 1 and step != expected:
            return False
        expected *= n
    return True
