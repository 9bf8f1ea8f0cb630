"""The loader of Street View House Numbers on a tiny archive made here, the synthetic numbers, and their nets for an epoch."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))

h5py = pytest.importorskip("h5py")

from house_numbers.svhn import crop, read_numbers, read_struct  # noqa: E402
from house_numbers.synthetic import NONE, house_numbers  # noqa: E402

# name, digits as SVHN has them (10 for 0), boxes left, top, width, height; the first pixel is 1
NUMBERS = [
    ("1.png", [2, 10], [(11, 6, 8, 12), (21, 6, 8, 12)]),
    ("2.png", [7], [(5, 4, 10, 16)]),
    ("3.png", [1, 2, 3, 4, 5, 6], [(k * 4 + 1, 2, 4, 8) for k in range(6)]),
]


def struct_bytes(numbers=NUMBERS):
    """A digitStruct.mat as MATLAB writes it: references to names and boxes; of a single digit the fields are plain numbers."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        references = file.create_group("#refs#")
        names, boxes = [], []

        def stored(values):
            dataset = references.create_dataset(str(len(references)), data=values)
            return dataset.ref

        for name, digits, rectangles in numbers:
            names.append(stored(np.array([[ord(letter)] for letter in name], np.uint16)))
            group = references.create_group(str(len(references)))
            columns = dict(zip(("left", "top", "width", "height"), np.array(rectangles, float).T, strict=True))
            for key, values in (columns | {"label": np.array(digits, float)}).items():
                if len(values) == 1:
                    group[key] = values.reshape(1, 1)
                else:
                    field = group.create_dataset(key, (len(values), 1), dtype=h5py.ref_dtype)
                    for n, value in enumerate(values):
                        field[n, 0] = stored(np.array([[value]]))
            boxes.append(group.ref)
        struct = file.create_group("digitStruct")
        for key, column in (("name", names), ("bbox", boxes)):
            struct.create_dataset(key, (len(column), 1), dtype=h5py.ref_dtype)[:, 0] = column
    return content.getvalue()


def picture(boxes, shape=(30, 40)):
    """Dark, but for what the boxes hold."""
    image = np.full((*shape, 3), 20, np.uint8)
    for left, top, width, height in boxes:
        image[top - 1 : top - 1 + height, left - 1 : left - 1 + width] = 220
    return image


def archive(path, leave_out=(), struct=True):
    with tarfile.open(path, "w:gz") as file:

        def add(name, content):
            member = tarfile.TarInfo(f"train/{name}")
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))

        for name, _, boxes in NUMBERS:
            if name not in leave_out:
                add(name, cv2.imencode(".png", picture(boxes))[1].tobytes())
        if struct:
            add("digitStruct.mat", struct_bytes())
    return path


def test_a_struct_of_matlab_is_read():
    numbers = read_struct(struct_bytes())
    assert [number.name for number in numbers] == ["1.png", "2.png", "3.png"]
    assert [number.digits.tolist() for number in numbers] == [[2, 0], [7], [1, 2, 3, 4, 5, 6]]
    assert numbers[0].boxes.tolist() == [[11, 6, 8, 12], [21, 6, 8, 12]]


@pytest.mark.parametrize("side", [64, 128])
def test_an_archive_is_read(tmp_path, side):
    crops, labels = read_numbers(archive(tmp_path / "train.tar.gz"), side)
    assert labels.tolist() == [[2, 0, NONE, NONE, NONE], [7, NONE, NONE, NONE, NONE]], "six digits are left out"
    assert crops.shape == (2, side, side)
    assert crops.dtype == np.uint8
    # the box of 10 x 16 is 1 / 1.3 of a crop of 64 pixels, and its place is in the middle
    bright = np.argwhere(crops[1] > 120)
    size = 64 / 1.3
    np.testing.assert_allclose(bright.min(axis=0), (side - size) / 2, atol=1)
    np.testing.assert_allclose(bright.max(axis=0), (side + size) / 2 - 1, atol=1)


def test_a_crop_beyond_the_picture_goes_on_with_its_border():
    image = picture([], (10, 12))[..., 0]
    image[:, 0] = 99
    assert (crop(image, np.array([[1, 1, 6, 6]]), 64)[:, 0] == 99).all()


def test_large_numbers_are_averaged_not_picked():
    """A fine checkerboard, ten times smaller, becomes grey."""
    image = (255 * (np.indices((640, 640)).sum(axis=0) % 2)).astype(np.uint8)
    middle = crop(image, np.array([[65, 65, 512, 512]]), 64)[16:48, 16:48]
    assert abs(middle.astype(int) - 127).max() < 40


def test_incomplete_archives_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no digitStruct\.mat"):
        read_numbers(archive(tmp_path / "a.tar.gz", struct=False), 64)
    with pytest.raises(ValueError, match=r"lacks 1 pictures .* 2\.png"):
        read_numbers(archive(tmp_path / "b.tar.gz", leave_out=["2.png"]), 64)


@pytest.fixture(scope="module")
def digits():
    """Bars of different width: easy to find."""
    images = np.zeros((10, 28, 28), np.uint8)
    for label, image in enumerate(images):
        image[4:24, 12 - label // 2 : 15 + label // 2] = 255
    return images, np.arange(10, dtype=np.uint8)


@pytest.mark.parametrize("side", [64, 128])
def test_synthetic_numbers(digits, side):
    pictures, numbers = house_numbers(*digits, 50, side, np.random.default_rng(3))
    assert pictures.shape == (50, side, side)
    assert pictures.dtype == np.uint8
    again, _ = house_numbers(*digits, 50, side, np.random.default_rng(3))
    assert (pictures == again).all()
    lengths = (numbers != NONE).sum(axis=1)
    assert set(lengths) == {1, 2, 3, 4, 5}
    assert all((number[length:] == NONE).all() for number, length in zip(numbers, lengths, strict=True))
    assert numbers.max() == NONE
    assert len(set(numbers[numbers != NONE])) == 10
    contrast = np.ptp(pictures.reshape(50, -1).astype(int), axis=1)
    assert contrast.min() > 50


@pytest.mark.parametrize("model", ["CNN", "ST-CNN Single", "ST-CNN Multi"])
def test_nets_train(tmp_path, model):
    command = [sys.executable, EXAMPLES / "house_numbers/train.py", "--svhn", tmp_path, "--models", model]
    command += ["--epochs", "2", "--output", tmp_path / "out", "--quiet"]
    archive(tmp_path / "train.tar.gz")
    archive(tmp_path / "test.tar.gz")
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    cell = json.loads((tmp_path / "out" / f"{model.replace(' ', '-')}-64-px.json").read_text())
    assert cell["digits"] == "Street View House Numbers"
    assert cell["history"][1]["loss"] < cell["history"][0]["loss"]
