"""Arrays on a GPU, by the library that they are of, and what is refused. Stand-ins on the host: no device takes part."""

import sys
import types

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="the package numba-cuda is an extra: make test-cuda")

from warpkit import gpu_arrays
from warpkit.kernels import cuda_target

PICTURE = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_cupy_makes_and_copies_its_own_arrays(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", types.SimpleNamespace(empty=np.empty, asarray=np.asarray, asnumpy=np.array))
    library = gpu_arrays.CuPy()
    made = library.empty((4, 5), np.dtype(np.float64), PICTURE)
    assert (made.shape, made.dtype) == ((4, 5), np.float64)
    assert np.array_equal(library.download(library.upload(PICTURE, PICTURE), 0), PICTURE)


def test_torch_makes_tensors_where_the_image_is(monkeypatch):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: make test-torch")
    library, image = gpu_arrays.Torch(), torch.zeros(1)
    assert library.empty((4, 5), np.dtype(np.float64), image).shape == (4, 5)
    assert np.array_equal(library.download(library.upload(PICTURE, image), 0), PICTURE)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: types.SimpleNamespace(cuda_stream=7))
    assert library.stream(image) == 7


def test_jax_is_waited_for_and_given_a_copy(monkeypatch):
    waited = []
    ready = types.SimpleNamespace(block_until_ready=lambda: waited.append("array"))
    monkeypatch.setattr(cuda_target, "synchronize", lambda: waited.append("device"))
    monkeypatch.setitem(sys.modules, "jax", types.SimpleNamespace(numpy=np))
    library = gpu_arrays.Jax()
    assert library.stream(ready) == library.stream(PICTURE) == 0
    copy = library.result(PICTURE)
    assert np.array_equal(copy, PICTURE)
    assert copy is not PICTURE
    assert waited == ["array", "device"]


def on_gpu(**changes):
    """An array as its CUDA array interface describes it."""
    interface = {"shape": (2, 3), "strides": None, "typestr": "<f4", "data": (4096, False), "version": 3} | changes
    return types.SimpleNamespace(__cuda_array_interface__=interface)


REFUSED = {
    "without an interface": (
        types.SimpleNamespace(),
        "image must be an array on the GPU, as the image is, got SimpleNamespace",
    ),
    "masked": (on_gpu(mask=PICTURE), "image must be a plain array, got a masked array"),
    "big-endian": (on_gpu(typestr=">f4"), "image must have the machine's byte order"),
}


@pytest.mark.skipif(cuda_target.IS_SIMULATOR, reason="the simulator's arrays have an interface of their own")
@pytest.mark.parametrize(("array", "message"), REFUSED.values(), ids=REFUSED)
def test_arrays_that_kernels_cannot_read_are_refused_by_name(array, message):
    with pytest.raises(TypeError, match=message):
        gpu_arrays.memory("image", array)


@pytest.mark.skipif(cuda_target.IS_SIMULATOR, reason="the simulator's arrays have an interface of their own")
def test_contiguous_arrays_need_no_strides():
    assert gpu_arrays.memory("image", on_gpu(shape=(2, 3, 4))).strides == (12, 4, 1)


def test_a_device_that_is_there_but_not_usable_is_told(monkeypatch):
    monkeypatch.setattr(cuda_target.cuda, "is_available", lambda: False)
    monkeypatch.setattr(cuda_target.cuda, "current_context", lambda: None)
    with pytest.raises(RuntimeError, match="no device found"):
        cuda_target.require_device()
    monkeypatch.setattr(cuda_target.cuda, "is_available", lambda: True)
    cuda_target.require_device()


def test_streams_are_taken_by_their_handle(monkeypatch):
    launched = []
    monkeypatch.setattr(cuda_target, "IS_SIMULATOR", False)
    monkeypatch.setattr(cuda_target.cuda, "external_stream", lambda handle: f"stream {handle}", raising=False)

    class Kernel:
        def __getitem__(self, configuration):
            return lambda *arguments: launched.append((configuration, arguments))

    for handle in (0, 1, 9):
        cuda_target.launch(Kernel(), (2,), (3,), handle, 0, ("argument",))
    assert [configuration[2] for configuration, _ in launched] == [0, 0, "stream 9"]
    assert {arguments for _, arguments in launched} == {("argument",)}
