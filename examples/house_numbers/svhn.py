"""The full numbers of Street View House Numbers (Netzer et al. 2011): train.tar.gz, test.tar.gz, extra.tar.gz.

An archive holds pictures N.png of any size and digitStruct.mat, a MATLAB 7.3 file, that is HDF5, with the box of each digit.
"""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import h5py
import numpy as np
from house_numbers.synthetic import LONGEST, NONE

import warpkit as wk

# The paper's crops: the box around all digits and three tenths more, 64 pixels wide; those of 128 pixels show twice as much.
_MARGIN = 1.3
_PIXELS_OF_CROP = 64


class Number(NamedTuple):
    """A picture's name, its digits (n,) and their boxes (n, 4): left, top, width, height, the first pixel being 1."""

    name: str
    digits: np.ndarray
    boxes: np.ndarray


def read_numbers(path: Path, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey crops (N, side, side) uint8 and the digits (N, 5) that they show, ``NONE`` behind the last.

    Numbers of more than five digits are left out, as in the paper.

    Raises
    ------
    ValueError
        If the archive has no digitStruct.mat, or lacks one of the pictures that it names.
    """
    with tarfile.open(path, "r:*") as archive:
        structs = [member for member in archive if PurePosixPath(member.name).name == "digitStruct.mat"]
        if not structs:
            raise ValueError(f"{path} has no digitStruct.mat")
        content = archive.extractfile(structs[0])
        assert content is not None
        numbers = {number.name: number for number in read_struct(content.read()) if len(number.digits) <= LONGEST}
    crops, labels = {}, {}
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            number = numbers.get(PurePosixPath(member.name).name)
            file = archive.extractfile(member) if number is not None else None
            if number is None or file is None:
                continue
            picture = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_GRAYSCALE)
            if picture is None:
                raise ValueError(f"{path}: {member.name} is not a picture")
            crops[number.name] = crop(picture, number.boxes, side)
            labels[number.name] = np.concatenate([number.digits, np.full(LONGEST - len(number.digits), NONE)])
    missing = sorted(numbers.keys() - crops.keys())
    if missing:
        raise ValueError(f"{path} lacks {len(missing)} pictures that its digitStruct.mat names, {missing[0]} among them")
    return np.stack([crops[name] for name in numbers]), np.stack([labels[name] for name in numbers]).astype(np.int64)


def read_struct(content: bytes) -> list[Number]:
    """The numbers that a digitStruct.mat describes."""
    with h5py.File(BytesIO(content), "r") as file:
        struct = file["digitStruct"]
        numbers = []
        for name, box in zip(struct["name"][:, 0], struct["bbox"][:, 0], strict=True):
            text = "".join(map(chr, file[name][:, 0]))
            digits = _field(file, file[box]["label"]).astype(np.int64) % 10  # 10 stands for 0
            boxes = np.stack([_field(file, file[box][key]) for key in ("left", "top", "width", "height")], axis=1)
            numbers.append(Number(text, digits, boxes))
    return numbers


def _field(file: h5py.File, values: h5py.Dataset) -> np.ndarray:
    """One number for each digit: the number itself where there is one digit, else references to them."""
    if len(values) == 1:
        return np.asarray(values[:, 0], np.float64)
    return np.array([file[reference][0, 0] for reference in values[:, 0]], np.float64)


def crop(picture: np.ndarray, boxes: np.ndarray, side: int) -> np.ndarray:
    """What lies around all boxes, brought to ``side`` x ``side`` pixels; the border's pixels go on beyond the picture."""
    low = boxes[:, :2].min(axis=0) - 1
    high = (boxes[:, :2] + boxes[:, 2:]).max(axis=0) - 1
    size = (high - low) * _MARGIN * side / _PIXELS_OF_CROP
    # Boxes are corner to corner: so is this map, of the square onto them.
    to_picture = np.array([[size[0] / side, 0, 0], [0, size[1] / side, 0]])
    to_picture[:, 2] = (low + high) / 2 - size / 2
    shrinking = max(1, round(max(size) / side))
    fine = side * shrinking
    to_picture[:, :2] /= shrinking
    warped = wk.warp(picture, wk.conventions.from_corner_origin(to_picture), (fine, fine), mode="edge")
    return cv2.resize(warped, (side, side), interpolation=cv2.INTER_AREA)
