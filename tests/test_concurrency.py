"""Many threads, processes and signals at once: the same bits as one call alone, and never a hang or an abort.

Every wait is bounded: what hangs fails its test.
"""

import copy
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import dask
import numpy as np
import pytest

import warpkit as wk
import warpkit.threads

# Waits for what should take a second or two; only a hang reaches them.
CHILD_SECONDS = 120
INTERRUPT_SECONDS = 30

THREADS = 4
IMAGE = np.random.default_rng(0).integers(0, 256, (700, 600), dtype=np.uint8)
SMALL = IMAGE[:28, :28].copy()
MAPS = [
    wk.Affine.rotation(11, (300, 350)),
    wk.Projective([[1, 0.1, 3], [-0.1, 1, 40], [1e-4, -1e-4, 1]]),
    wk.ThinPlateSpline([[0, 0], [599, 0], [0, 699], [599, 699]], [[5, 9], [580, -8], [9, 680], [610, 690]]),
    wk.DisplacementField.elastic((700, 600), 300, 12, seed=1),
    wk.Affine.translation(0.5, 0.25) @ wk.DisplacementField.elastic((70, 60), 90, 12, seed=2).inverse,
]

needs_fork = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
every_start_method = pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())


def picture(number):
    """One of many warps, large and small: what every worker of these tests computes."""
    image = SMALL if number % 3 == 2 else IMAGE
    interpolation = "nearest" if number % 2 else "bilinear"
    inverse_map = copy.copy(MAPS[number % len(MAPS)])  # not packed for kernels yet
    return wk.warp(image, inverse_map, mode="reflect", interpolation=interpolation)


@pytest.fixture(scope="module")
def expected():
    """The pictures, each computed in one thread."""
    before = wk.get_num_threads()
    wk.set_num_threads(1)
    pictures = [picture(number) for number in range(30)]
    wk.set_num_threads(before)
    return pictures


@pytest.fixture(autouse=True)
def several_threads(set_num_threads):
    """More threads than this machine may have processors, and a pool that has been used."""
    set_num_threads(THREADS)
    picture(0)


def run_python(script, *arguments, **environment):
    """A script in a fresh interpreter, bounded in time."""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        env=os.environ | environment,
        check=False,
    )


# --- threads ---------------------------------------------------------------------------------------------------------------


def test_many_threads_at_once_compute_what_one_does(expected):
    together = threading.Barrier(32)

    def work(worker):
        together.wait(CHILD_SECONDS)
        numbers = [(worker + n) % 30 for n in range(4)]
        return [(number, picture(number)) for number in numbers]

    with ThreadPoolExecutor(32) as pool:
        for pictures in pool.map(work, range(32)):
            for number, warped in pictures:
                assert np.array_equal(warped, expected[number])


def test_workers_that_come_before_the_caller_begins_are_waited_for(monkeypatch):
    """A caller that lost its processor just after it had invited its workers returned before they were done."""
    invite = warpkit.threads._invite

    def invite_and_lose_the_processor(run, workers):
        invite(run, workers)
        time.sleep(0.0005)

    monkeypatch.setattr(warpkit.threads, "_invite", invite_and_lose_the_processor)
    image, output = np.full((2000, 2000), 255, np.uint8), np.empty((2000, 2000), np.uint8)
    for _ in range(20):
        output[:] = 0
        at_return = wk.warp(image, MAPS[0], mode="edge", out=output).copy()
        assert at_return.min() == 255


@pytest.mark.parametrize("workers", [1, THREADS, 3 * THREADS])
def test_warps_nest_in_a_thread_pool(expected, workers):
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(picture, number) for number in range(30)]
        for number, future in enumerate(futures):
            assert np.array_equal(future.result(CHILD_SECONDS), expected[number])


def test_warps_nest_in_pools_of_pools(expected):
    def many(numbers):
        with ThreadPoolExecutor(THREADS) as inner:
            return list(inner.map(picture, numbers))

    with ThreadPoolExecutor(THREADS) as outer:
        batches = [range(start, start + 6) for start in range(0, 30, 6)]
        for batch, pictures in zip(batches, outer.map(many, batches, timeout=CHILD_SECONDS), strict=True):
            assert all(np.array_equal(warped, expected[number]) for number, warped in zip(batch, pictures, strict=True))


def test_warps_nest_in_the_tasks_of_dask(expected):
    tasks = [dask.delayed(picture)(number) for number in range(len(expected))]
    for found, wanted in zip(dask.compute(*tasks, scheduler="threads", num_workers=THREADS), expected, strict=True):
        assert np.array_equal(found, wanted)


def test_the_number_of_threads_may_change_while_others_warp(expected, set_num_threads):
    stop = threading.Event()

    def keep_changing():
        while not stop.is_set():
            for n in (1, 2, 7, 3):
                set_num_threads(n)

    changer = threading.Thread(target=keep_changing)
    changer.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            for number, warped in enumerate(pool.map(picture, range(30), timeout=CHILD_SECONDS)):
                assert np.array_equal(warped, expected[number])
    finally:
        stop.set()
        changer.join(CHILD_SECONDS)


def test_an_error_in_one_thread_leaves_the_others_right(expected):
    def work(number):
        if number % 2:
            return picture(number)
        with pytest.raises(ValueError, match="grid"):
            wk.sample(IMAGE, np.full((600, 600, 2), np.nan))
        return None

    with ThreadPoolExecutor(8) as pool:
        for number, warped in enumerate(pool.map(work, range(30), timeout=CHILD_SECONDS)):
            assert warped is None or np.array_equal(warped, expected[number])


# --- processes -------------------------------------------------------------------------------------------------------------


def send_pictures(connection, numbers, threads):
    if threads:
        wk.set_num_threads(threads)
    connection.send([picture(number) for number in numbers])
    connection.close()


def pictures_of_child(method, numbers, threads=None):
    """Pictures computed in a child process; a child that hangs is killed and fails the test."""
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=send_pictures, args=(sender, numbers, threads))
    child.start()
    sender.close()
    try:
        if not receiver.poll(CHILD_SECONDS):
            pytest.fail(f"a {method} child hangs")
        pictures = receiver.recv()
        child.join(CHILD_SECONDS)
        assert child.exitcode == 0
        return pictures
    finally:
        receiver.close()
        if child.is_alive():
            child.kill()
        child.join()


def assert_right(pictures, numbers, expected):
    assert len(pictures) == len(numbers)
    for number, warped in zip(numbers, pictures, strict=True):
        assert np.array_equal(warped, expected[number])


@needs_fork
@pytest.mark.parametrize("threads", [None, 1, 2, 3 * THREADS])
def test_a_forked_child_warps_after_its_parent_did(expected, threads):
    numbers = range(8)
    assert_right(pictures_of_child("fork", numbers, threads), numbers, expected)
    assert np.array_equal(picture(3), expected[3]), "the parent goes on as before"


@needs_fork
def test_a_forked_child_warps_while_its_parent_does(expected):
    stop = threading.Event()
    wrong = []

    def keep_warping(number):
        while not stop.is_set():
            if not np.array_equal(picture(number), expected[number]):
                wrong.append(number)

    warping = [threading.Thread(target=keep_warping, args=(number,)) for number in range(3)]
    for thread in warping:
        thread.start()
    try:
        for number in range(10):
            numbers = [number, number + 10]
            assert_right(pictures_of_child("fork", numbers), numbers, expected)
    finally:
        stop.set()
        for thread in warping:
            thread.join(CHILD_SECONDS)
    assert not wrong


@needs_fork
def test_a_child_forked_while_a_thread_packs_a_map_goes_on(expected):
    packing, forked = threading.Event(), threading.Event()

    class SlowToPack(wk.Affine):
        def _stages(self):
            packing.set()
            forked.wait(2 * CHILD_SECONDS)
            return super()._stages()

    thread = threading.Thread(target=wk.warp, args=(np.zeros((4, 4), np.uint8), SlowToPack(np.eye(2, 3))))
    thread.start()
    try:
        assert packing.wait(CHILD_SECONDS)
        assert_right(pictures_of_child("fork", [3]), [3], expected)
    finally:
        forked.set()
        thread.join(CHILD_SECONDS)


def send_grandchilds_pictures(connection, numbers):
    connection.send(pictures_of_child("fork", numbers))
    connection.close()


@needs_fork
def test_a_forked_child_may_fork_again(expected):
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=send_grandchilds_pictures, args=(sender, [0, 1]))
    child.start()
    try:
        assert receiver.poll(CHILD_SECONDS), "the grandchild hangs"
        assert_right(receiver.recv(), [0, 1], expected)
    finally:
        child.kill()
        child.join()


@every_start_method
def test_process_pools_compute_what_one_process_does(expected, method):
    """As the workers of a DataLoader do."""
    with multiprocessing.get_context(method).Pool(2) as pool:
        pictures = pool.map_async(picture, range(10), chunksize=1).get(CHILD_SECONDS)
    assert_right(pictures, range(10), expected)


FORK_WHILE_COMPILING = """
import os, signal, threading
import numpy as np
from numba.core.event import Listener, register
import warpkit as wk

compiling = threading.Event()


class Watcher(Listener):
    def on_start(self, event):
        compiling.set()

    def on_end(self, event):
        pass


register("numba:compile", Watcher())
points = np.array([[1.0, 2.0]])
other = threading.Thread(target=lambda: wk.Affine.rotation(90).jacobian(points))
other.start()
assert compiling.wait(60)
child = os.fork()
if child == 0:
    signal.alarm(60)  # ends a child that hangs
right = wk.Affine.rotation(90).jacobian(points).tolist() == [[[0, -1], [1, 0]]]
if child == 0:
    os._exit(0 if right else 1)
other.join()
assert right
assert os.waitpid(child, 0)[1] == 0
print("both are right")
"""


@needs_fork
def test_a_child_forked_while_another_thread_compiles_goes_on(tmp_path):
    done = run_python(FORK_WHILE_COMPILING, NUMBA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "both are right\n"


# --- signals and the end ---------------------------------------------------------------------------------------------------

INTERRUPTED = """
import signal, sys, threading
import numpy as np
import warpkit as wk

signal.signal(signal.SIGINT, signal.default_int_handler)
wk.set_num_threads(int(sys.argv[1]))
random = np.random.default_rng(0)
control_points = random.uniform(0, 8000, (1000, 2))
endless = wk.ThinPlateSpline(control_points, control_points + random.normal(0, 5, control_points.shape))
image = np.full((100, 100), 7, np.uint8)
out = np.zeros((8000, 8000), np.uint8)


def tell_when_it_runs():
    while not out.any():
        pass
    print("running", flush=True)


threading.Thread(target=tell_when_it_runs, daemon=True).start()
try:
    wk.warp(image, endless, out.shape, mode="edge", out=out)
finally:
    print("done" if out.all() else "cut short", flush=True)
    right = (wk.warp(image, wk.Affine.rotation(5), (700, 700), mode="edge") == 7).all()
    print("still right" if right else "wrong", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("threads", [1, THREADS])
def test_ctrl_c_ends_a_big_warp(threads):
    arguments = [sys.executable, "-c", INTERRUPTED, str(threads)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        stuck = threading.Timer(CHILD_SECONDS, child.kill)
        stuck.start()
        try:
            assert child.stdout.readline() == "running\n"
            child.send_signal(signal.SIGINT)
            output, errors = child.communicate(timeout=INTERRUPT_SECONDS)
        finally:
            stuck.cancel()
            child.kill()
    assert errors.strip().endswith("KeyboardInterrupt")
    assert output == "cut short\nstill right\n"
    assert child.returncode == -signal.SIGINT


AT_EXIT = """
import atexit, sys
import numpy as np
import warpkit as wk

wk.set_num_threads(4)
image = np.full((700, 700), 7, np.uint8)
turn = wk.Affine.rotation(5)


def check():
    for _ in range(20):
        assert (wk.warp(image, turn, mode="edge") == 7).all()
    print("right at exit", flush=True)


atexit.register(check)
if sys.argv[1] == "used before":
    wk.warp(image, turn)
"""


@pytest.mark.parametrize("pool", ["used before", "not used before"])
def test_warp_works_in_an_atexit_handler(pool):
    done = run_python(AT_EXIT, pool)
    assert done.stdout == "right at exit\n", done.stderr
    assert done.returncode == 0
    assert not done.stderr


DAEMONS = """
import threading
import numpy as np
import warpkit as wk

wk.set_num_threads(4)
image = np.full((700, 700), 7, np.uint8)
begun = threading.Barrier(5)


def warp_for_ever():
    wk.warp(image, wk.Affine.rotation(5))
    begun.wait(60)
    try:
        while True:
            wk.warp(image, wk.Affine.rotation(5))
    except RuntimeError:
        pass  # no new threads at this time: the interpreter is ending


for _ in range(4):
    threading.Thread(target=warp_for_ever, daemon=True).start()
begun.wait(60)
print("ending", flush=True)
"""


def test_daemon_threads_that_warp_do_not_keep_a_process_from_ending():
    done = run_python(DAEMONS)
    assert done.stdout == "ending\n", done.stderr
    assert done.returncode == 0, done.stderr
