"""Windows of a batch of images, for convolutions and pooling.

All arrays are C-contiguous, images are (N, H, W, C) and windows (N, rows, columns, size, size, C). Every function works on the
images from ``first`` to ``last``.
"""

from __future__ import annotations

import numpy as np

from .compiling import driver, row_loop


@driver
def unfold(images, windows, stride, first, last):
    """Copy the window of each output pixel out of the images."""
    width, channels = images.shape[2], images.shape[3]
    rows, columns, size = windows.shape[1], windows.shape[2], windows.shape[3]
    length = size * channels
    pixels, copies = images.reshape(-1), windows.reshape(-1)
    for n in range(first, last):
        for row in range(rows):
            for line in range(size):
                source = ((n * images.shape[1] + row * stride + line) * width) * channels
                target = ((n * rows + row) * columns * size + line) * length
                for _ in range(columns):
                    for k in range(length):
                        copies[np.uint64(target + k)] = pixels[np.uint64(source + k)]
                    source += stride * channels
                    target += size * length
    return 0


@driver
def fold(windows, images, stride, first, last):
    """The adjoint of :func:`unfold`: add windows to the places in ``images`` that they were copied from."""
    width, channels = images.shape[2], images.shape[3]
    rows, columns, size = windows.shape[1], windows.shape[2], windows.shape[3]
    length = size * channels
    pixels, copies = images.reshape(-1), windows.reshape(-1)
    for n in range(first, last):
        for row in range(rows):
            for line in range(size):
                target = ((n * images.shape[1] + row * stride + line) * width) * channels
                source = ((n * rows + row) * columns * size + line) * length
                for _ in range(columns):
                    for k in range(length):
                        pixels[np.uint64(target + k)] += copies[np.uint64(source + k)]
                    target += stride * channels
                    source += size * length
    return 0


@row_loop
def _keep_larger(pixels, start, best, places, target, place, count):
    """Of ``count`` pixels from ``start`` on, those that are larger than the best so far, which begin at ``target``."""
    for c in range(count):
        value, previous = pixels[np.uint64(start + c)], best[np.uint64(target + c)]
        is_larger = value > previous
        best[np.uint64(target + c)] = value if is_larger else previous
        places[np.uint64(target + c)] = place if is_larger else places[np.uint64(target + c)]


@driver
def max_pool(images, out, places, size, first, last):
    """The largest of each window of ``size`` x ``size`` pixels, and its place there, of several the first.

    ``places`` begins with zeros.
    """
    height, width, channels = images.shape[1], images.shape[2], images.shape[3]
    rows, columns = out.shape[1], out.shape[2]
    pixels, best, found = images.reshape(-1), out.reshape(-1), places.reshape(-1)
    for n in range(first, last):
        for row in range(rows):
            for column in range(columns):
                target = ((n * rows + row) * columns + column) * channels
                start = ((n * height + row * size) * width + column * size) * channels
                for c in range(channels):
                    best[np.uint64(target + c)] = pixels[np.uint64(start + c)]
                for k in range(1, size * size):
                    source = start + (k // size * width + k % size) * channels
                    _keep_larger(pixels, source, best, found, target, np.uint8(k), channels)
    return 0


@driver
def max_unpool(grad_out, places, grad_images, size, first, last):
    """The gradient of :func:`max_pool`: each number goes to the pixel that was the largest."""
    rows, columns, channels = grad_out.shape[1], grad_out.shape[2], grad_out.shape[3]
    for n in range(first, last):
        for row in range(rows):
            for column in range(columns):
                for c in range(channels):
                    place = places[n, row, column, c]
                    grad_images[n, row * size + place // size, column * size + place % size, c] = grad_out[n, row, column, c]
    return 0
