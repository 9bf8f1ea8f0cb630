"""Dask arrays: the bits of the whole whatever the chunks and schedulers, no chunk read in vain, nothing gathered."""

import threading

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from families import AFFINE, FAMILIES, FIELD, PROJECTIVE, SPLINE, every_family
from hypothesis import given
from hypothesis import strategies as st

import warpkit as wk
from warpkit.interop import dask as warpkit_dask
from warpkit.threads import at_most

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (40, 60), np.uint8)
COLOUR = RANDOM.normal(size=(40, 60, 3)).astype(np.float32)
DISPLACEMENTS = RANDOM.normal(0, 4, (*GREY.shape, 2))
OUTPUT = (90, 130)
MODES = ("constant", "fill", "edge", "symmetric", "reflect", "wrap")


class Source:
    """An array that notes what is read of it, and refuses what must not be."""

    def __init__(self, array, allowed=None, chunks=None):
        self.array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, array.ndim
        self.allowed, self.read, self.chunks = allowed, [], chunks

    def __getitem__(self, where):
        rows, columns = (axis.indices(size)[:2] for axis, size in zip(where[:2], self.shape, strict=False))
        if self.allowed is not None:
            assert rows[0] < self.allowed[0].stop, "a chunk of rows that no output needs"
            assert rows[1] > self.allowed[0].start, "a chunk of rows that no output needs"
            assert columns[0] < self.allowed[1].stop, "a chunk of columns that no output needs"
            assert columns[1] > self.allowed[1].start, "a chunk of columns that no output needs"
        if rows[0] < rows[1]:  # Dask asks for no rows, to learn what kind of array comes
            self.read.append((rows, columns))
        return self.array[where]


class LargestArray(Callback):
    """The most elements that any task returned."""

    def __init__(self):
        super().__init__(posttask=self.note)
        self.largest = 0

    def note(self, key, result, graph, state, worker):
        self.largest = max(self.largest, getattr(result, "size", 0))


def chunked(array, chunks=(13, 17)):
    return da.from_array(array, chunks=(*chunks, *(1,) * (array.ndim - 2)))


# --- the bits of the whole --------------------------------------------------------------------------------------------------


@every_family
def test_chunks_have_the_bits_of_the_whole(transform):
    with dask.config.set(scheduler="sync"):
        found = warpkit_dask.warp(chunked(GREY), transform, OUTPUT, (37, 50)).compute()
    assert np.array_equal(found, wk.warp(GREY, transform, OUTPUT))


@given(
    st.sampled_from(sorted(FAMILIES)),
    st.tuples(st.integers(5, 40), st.integers(5, 60)),
    st.tuples(st.integers(20, 90), st.integers(20, 130)),
    st.sampled_from(MODES),
)
def test_any_chunks_have_the_bits_of_the_whole(family, chunks, output_chunks, mode):
    options = {"mode": mode, "cval": 0.5}
    with dask.config.set(scheduler="sync"):
        found = warpkit_dask.warp(chunked(COLOUR, chunks), FAMILIES[family], OUTPUT, output_chunks, **options).compute()
    assert np.array_equal(found, wk.warp(COLOUR, FAMILIES[family], OUTPUT, **options))


@pytest.mark.parametrize("options", [{"antialias": True}, {"tolerance": 0.0}, {"cval": [1, 2, 3]}], ids=str)
def test_options_are_those_of_warp(options):
    for transform in (SPLINE, wk.Affine.scaling(3)):
        found = warpkit_dask.warp(chunked(COLOUR), transform, OUTPUT, 40, **options)
        assert np.array_equal(found.compute(scheduler="threads"), wk.warp(COLOUR, transform, OUTPUT, **options))


def test_the_threaded_scheduler():
    found = warpkit_dask.warp(chunked(GREY), SPLINE, OUTPUT, 16).compute(scheduler="threads", num_workers=4)
    assert np.array_equal(found, wk.warp(GREY, SPLINE, OUTPUT))


def test_the_process_scheduler():
    found = warpkit_dask.warp(chunked(GREY), AFFINE, OUTPUT, 64).compute(scheduler="processes", num_workers=2)
    assert np.array_equal(found, wk.warp(GREY, AFFINE, OUTPUT))


def test_the_distributed_scheduler():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        found = warpkit_dask.warp(chunked(GREY), PROJECTIVE, OUTPUT, 32).compute()
        by_field = warpkit_dask.warp(chunked(GREY), chunked(DISPLACEMENTS)).compute()
    assert np.array_equal(found, wk.warp(GREY, PROJECTIVE, OUTPUT))
    assert np.array_equal(by_field, wk.warp(GREY, wk.DisplacementField(DISPLACEMENTS)))


def test_shapes_chunks_and_types():
    plain = warpkit_dask.warp(chunked(COLOUR), AFFINE)
    assert (plain.shape, plain.dtype, plain.chunksize) == (COLOUR.shape, COLOUR.dtype, (13, 17, 3))
    other = warpkit_dask.warp(chunked(GREY), AFFINE, OUTPUT, (40, (100, 30)))
    assert other.chunks == ((40, 40, 10), (100, 30))
    assert warpkit_dask.warp(chunked(GREY), AFFINE.matrix, OUTPUT).name == warpkit_dask.warp(chunked(GREY), AFFINE, OUTPUT).name
    assert warpkit_dask.warp(chunked(GREY), AFFINE, OUTPUT).name != warpkit_dask.warp(chunked(GREY), PROJECTIVE, OUTPUT).name


def test_any_byte_order_is_read_and_the_machines_is_made():
    warped = warpkit_dask.warp(chunked(COLOUR.astype(COLOUR.dtype.newbyteorder())), AFFINE, OUTPUT, 40)
    found = warped.compute(scheduler="sync")
    assert found.dtype == warped.dtype == COLOUR.dtype
    assert np.array_equal(found, wk.warp(COLOUR, AFFINE, OUTPUT))


def test_the_result_is_an_array_like_others():
    warped = warpkit_dask.warp(chunked(GREY), AFFINE, OUTPUT, 30)
    whole = wk.warp(GREY, AFFINE, OUTPUT)
    assert np.array_equal((warped[20:50, 3] + np.uint8(1)).compute(), whole[20:50, 3] + np.uint8(1))
    twice = warpkit_dask.warp(warped, AFFINE.inverse, GREY.shape, 20)
    assert np.array_equal(twice.compute(), wk.warp(whole, AFFINE.inverse, GREY.shape))


# --- what is read -----------------------------------------------------------------------------------------------------------


def test_nothing_is_read_before_it_is_asked_for():
    source = Source(GREY)
    warpkit_dask.warp(da.from_array(source, chunks=10), SPLINE, OUTPUT, 16)
    assert source.read == []


def test_chunks_that_no_output_needs_are_not_read():
    large = RANDOM.integers(0, 256, (200, 300), np.uint8)
    transform, part = wk.Affine.rotation(20, (150, 100)), (slice(64, 96), slice(128, 160))
    source = Source(large, allowed=wk.source_window(transform, part, large.shape))
    warped = warpkit_dask.warp(da.from_array(source, chunks=8), transform, chunks=32)
    assert np.array_equal(warped[part].compute(scheduler="sync"), wk.warp(large, transform)[part])
    assert len(source.read) <= 7 * 7


def test_each_chunk_is_read_once():
    source = Source(GREY)
    warpkit_dask.warp(da.from_array(source, chunks=10), AFFINE, OUTPUT, 16).compute(scheduler="sync")
    assert len(source.read) == len(set(source.read))


def test_files_are_not_read_as_a_whole(tmp_path):
    on_disk = np.lib.format.open_memmap(tmp_path / "picture.npy", "w+", GREY.dtype, GREY.shape)
    on_disk[:] = GREY
    largest = LargestArray()
    with largest, dask.config.set(scheduler="sync"):
        found = warpkit_dask.warp(da.from_array(on_disk, chunks=(8, 8)), AFFINE, OUTPUT, 16)[:16, :16].compute()
    assert np.array_equal(found, wk.warp(GREY, AFFINE, OUTPUT)[:16, :16])
    assert largest.largest <= 16 * 16


# --- stored pictures --------------------------------------------------------------------------------------------------------


@given(
    st.sampled_from(sorted(FAMILIES)),
    st.none() | st.tuples(st.integers(5, 40), st.integers(5, 60)),
    st.tuples(st.integers(20, 90), st.integers(20, 130)),
    st.sampled_from(MODES),
    st.sampled_from([0, 1000, 2**20]),
)
def test_stored_pictures_have_the_bits_of_whole_ones(family, chunks, output_chunks, mode, keep):
    source, options = Source(COLOUR, chunks=chunks), {"mode": mode, "cval": 0.5}
    with dask.config.set(scheduler="sync"):
        found = warpkit_dask.warp(source, FAMILIES[family], OUTPUT, output_chunks, keep=keep, **options).compute()
    assert np.array_equal(found, wk.warp(COLOUR, FAMILIES[family], OUTPUT, **options))


def test_stored_pictures_under_all_schedulers():
    whole = wk.warp(GREY, AFFINE, OUTPUT)
    warped = warpkit_dask.warp(Source(GREY, chunks=(13, 17)), AFFINE, OUTPUT, 32)
    assert np.array_equal(warped.compute(scheduler="threads", num_workers=4), whole)
    assert np.array_equal(warped.compute(scheduler="processes", num_workers=2), whole)


def test_a_stored_picture_in_zarr(tmp_path):
    zarr = pytest.importorskip("zarr")
    stored = zarr.create_array(tmp_path / "picture.zarr", shape=GREY.shape, chunks=(16, 16), dtype=">u2")
    stored[:] = GREY
    warped = warpkit_dask.warp(stored, PROJECTIVE, OUTPUT)
    assert (warped.shape, warped.dtype, warped.chunksize) == (OUTPUT, np.uint16, (16, 16))
    assert np.array_equal(warped.compute(), wk.warp(GREY.astype(np.uint16), PROJECTIVE, OUTPUT))


def test_chunks_of_a_stored_picture_are_kept_up_to_a_limit():
    for keep, most in ((2**20, 24), (0, 200)):
        source = Source(GREY, chunks=(10, 10))
        warpkit_dask.warp(source, AFFINE, OUTPUT, 16, keep=keep).compute(scheduler="sync")
        assert len(set(source.read)) <= 24
        assert len(set(source.read)) <= len(source.read) <= most
        assert (len(source.read) > 24) == (keep == 0)


def test_only_the_windows_of_what_is_asked_for_are_read():
    source = Source(GREY)
    warped = warpkit_dask.warp(source, AFFINE, OUTPUT, 16)
    assert source.read == []
    part = (slice(32, 48), slice(48, 64))
    warped[part].compute(scheduler="sync")
    rows, columns = wk.source_window(AFFINE, part, GREY.shape)
    assert source.read == [((rows.start, rows.stop), (columns.start, columns.stop))]


@given(st.tuples(st.integers(5, 40), st.integers(5, 60)), st.sampled_from(MODES))
def test_stored_pictures_by_chunked_fields(chunks, mode):
    with dask.config.set(scheduler="sync"):
        found = warpkit_dask.warp(Source(GREY, chunks=(11, 11)), chunked(DISPLACEMENTS), chunks=chunks, mode=mode).compute()
    assert np.array_equal(found, wk.warp(GREY, wk.DisplacementField(DISPLACEMENTS), mode=mode))


def test_tiles_that_are_kept_do_not_change():
    """Memory is used again for others of its size, but only when no tile or part of one needs it."""
    larger, shape = wk.Affine.scaling(0.01), (3000, 4000)
    warped = warpkit_dask.warp(Source(GREY, chunks=(10, 10)), larger, shape, (1500, 2000))
    whole = wk.warp(GREY, larger, shape)

    def tiles():
        return dask.compute(*(dask.delayed(tile) for tile in warped.to_delayed().ravel()), scheduler="threads")

    kept = tiles()
    column = kept[3][:, 3]
    first, second = kept[0], tiles()[0]
    del kept
    again = tiles()
    assert all(np.array_equal(tile, whole[:1500, :2000]) for tile in (first, second, again[0]))
    assert np.array_equal(column, whole[1500:, 2003])


# --- displacement fields ----------------------------------------------------------------------------------------------------


@given(st.tuples(st.integers(5, 40), st.integers(5, 60)), st.sampled_from(MODES), st.booleans())
def test_chunked_fields_have_the_bits_of_whole_ones(chunks, mode, is_coarse):
    field = DISPLACEMENTS.astype(np.float32) * (10 if is_coarse else 1)
    with dask.config.set(scheduler="sync"):
        found = warpkit_dask.warp(chunked(GREY), chunked(field, chunks), mode=mode, cval=7).compute()
    assert np.array_equal(found, wk.warp(GREY, wk.DisplacementField(field), mode=mode, cval=7))


def test_a_field_of_another_size_than_the_picture_makes_a_picture_of_its_size():
    field = FIELD.field[:25, :33]
    found = warpkit_dask.warp(chunked(GREY), chunked(field), chunks=20)
    assert found.shape == (25, 33)
    assert np.array_equal(found.compute(), wk.warp(GREY, wk.DisplacementField(field), (25, 33)))


def test_a_field_is_never_gathered():
    source, largest = Source(DISPLACEMENTS), LargestArray()
    with largest, dask.config.set(scheduler="sync"):
        warpkit_dask.warp(chunked(GREY, (10, 10)), da.from_array(source, chunks=(10, 10, 2)), chunks=10).persist()
    assert max((rows[1] - rows[0]) * (columns[1] - columns[0]) for rows, columns in source.read) <= 10 * 10
    assert largest.largest <= 2 * 10 * 10


def test_fields_that_are_none_are_refused():
    picture = chunked(GREY)
    for field in (chunked(DISPLACEMENTS[..., :1]), chunked(GREY), chunked(DISPLACEMENTS.astype(complex))):
        with pytest.raises(ValueError, match="inverse_map must be a field"):
            warpkit_dask.warp(picture, field)
    with pytest.raises(ValueError, match="output_shape must be the displacement field's"):
        warpkit_dask.warp(picture, chunked(DISPLACEMENTS), (40, 61))
    with pytest.raises(ValueError, match="antialias"):
        warpkit_dask.warp(picture, chunked(DISPLACEMENTS), antialias=True)
    damaged = DISPLACEMENTS.copy()
    damaged[20, 30] = np.nan
    with pytest.raises(ValueError, match="a displacement field must hold finite numbers"):
        warpkit_dask.warp(picture, chunked(damaged))


# --- the door ---------------------------------------------------------------------------------------------------------------


def test_arguments_are_checked_before_anything_is_read():
    picture = chunked(GREY)
    for other in (GREY, "picture", None):
        with pytest.raises(TypeError, match="image must be a dask array, or an array of a store"):
            warpkit_dask.warp(other, AFFINE)
    with pytest.raises(ValueError, match="image must have shape"):
        warpkit_dask.warp(Source(GREY[0]), AFFINE)
    with pytest.raises(ValueError, match="keep must not be negative, got -1"):
        warpkit_dask.warp(Source(GREY), AFFINE, keep=-1)
    with pytest.raises(ValueError, match="image must have shape"):
        warpkit_dask.warp(da.zeros((2, 3, 4, 5)), AFFINE)
    with pytest.raises(ValueError, match="known chunk sizes"):
        warpkit_dask.warp(picture[picture[:, 0] > 5], AFFINE)
    with pytest.raises(TypeError, match="inverse_map"):
        warpkit_dask.warp(picture, "turn")
    with pytest.raises(ValueError, match="horizon"):
        warpkit_dask.warp(picture, wk.Projective(-np.eye(3)))
    with pytest.raises(ValueError, match="its coefficients depend on all pixels"):
        warpkit_dask.warp(picture, AFFINE, interpolation="bspline3")
    with pytest.raises(ValueError, match="chunks"):
        warpkit_dask.warp(picture, AFFINE, chunks=(10, (20, 20)))
    with pytest.raises(ValueError, match="cval"):
        warpkit_dask.warp(picture, AFFINE, cval=300).compute()


def test_a_limit_on_threads_is_the_calling_threads_own():
    seen = []
    with at_most(1):
        other = threading.Thread(target=lambda: seen.append(wk.get_num_threads()))
        other.start()
        other.join()
        assert wk.get_num_threads() == 1
    assert seen == [wk.get_num_threads()]
