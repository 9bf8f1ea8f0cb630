"""Ranges of work in threads: all of it is done once, and an error in any part is the caller's."""

import os
import threading
import time

import pytest

import warpkit as wk
from warpkit import threads

LONG_NS = 1e8  # so long that each item is a call of its own


def test_every_item_is_done_once(set_num_threads):
    set_num_threads(3)
    done = []

    def kernel(first, last):
        done.extend(range(first, last))
        return last - first

    for nanoseconds in (1.0, 1e4, LONG_NS):
        done.clear()
        assert threads.run_ranges(kernel, 500, nanoseconds) == 500
        assert sorted(done) == list(range(500))


@pytest.mark.parametrize("fails", ["the caller's part", "a worker's part"])
def test_an_error_in_any_part_is_the_callers(set_num_threads, fails):
    set_num_threads(2)
    caller = threading.current_thread()

    def kernel(first, last):
        if (threading.current_thread() is caller) == (fails == "the caller's part"):
            raise ZeroDivisionError(fails)
        time.sleep(0.002)  # so that both have a part
        return 1

    def until_a_worker_came_in_time():
        for _ in range(200):
            threads.run_ranges(kernel, 40, LONG_NS)

    with pytest.raises(ZeroDivisionError, match=fails):
        until_a_worker_came_in_time()


def test_without_affinity_all_processors_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delenv("WARPKIT_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "_num_threads", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert wk.get_num_threads() == 5


def test_no_more_threads_than_the_system_has(monkeypatch, set_num_threads):
    """While the interpreter exits, none can be started: the caller does it all."""

    def refused(thread):
        raise RuntimeError("can't start new thread")

    set_num_threads(64)
    monkeypatch.setattr(threading.Thread, "start", refused)
    assert threads.run_ranges(lambda first, last: last - first, 200, LONG_NS) == 200
