"""What Numba's CUDA simulator does wrong with threads, put right for the tests."""

import threading


class MadeOnce(dict):
    """The simulator looks for a block's shared array and makes one if there is none: two threads at once made two, and what one
    of them wrote was lost. Whoever finds none here has the lock until it has made one."""

    def __init__(self):
        super().__init__()
        self._lock = threading.RLock()

    def get(self, key):
        self._lock.acquire()
        found = super().get(key)
        if found is not None:
            self._lock.release()
        return found

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self._lock.release()


def make_shared_arrays_once(monkeypatch):
    from numba.cuda.simulator.kernelapi import FakeCUDAShared

    before = FakeCUDAShared.__init__

    def init(self, size):
        before(self, size)
        self._allocations = MadeOnce()

    monkeypatch.setattr(FakeCUDAShared, "__init__", init)
