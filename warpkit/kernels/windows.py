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
def _largest(pixels, start, across, down, size, best, places, target, channels):
    """The largest pixels of one window, whose first begins at ``start``, and their places; of several the first.

    Windows of four, the usual ones, keep what they found in registers.
    """
    if size == 2:
        for c in range(channels):
            top_left, top_right = pixels[np.uint64(start + c)], pixels[np.uint64(start + across + c)]
            bottom_left, bottom_right = pixels[np.uint64(start + down + c)], pixels[np.uint64(start + down + across + c)]
            top = top_right if top_right > top_left else top_left
            bottom = bottom_right if bottom_right > bottom_left else bottom_left
            top_place = np.uint8(1) if top_right > top_left else np.uint8(0)
            bottom_place = np.uint8(3) if bottom_right > bottom_left else np.uint8(2)
            best[np.uint64(target + c)] = bottom if bottom > top else top
            places[np.uint64(target + c)] = bottom_place if bottom > top else top_place
        return
    for c in range(channels):
        best[np.uint64(target + c)] = pixels[np.uint64(start + c)]
        places[np.uint64(target + c)] = np.uint8(0)
    for k in range(1, size * size):
        source = start + k // size * down + k % size * across
        for c in range(channels):
            value, previous = pixels[np.uint64(source + c)], best[np.uint64(target + c)]
            is_larger = value > previous
            best[np.uint64(target + c)] = value if is_larger else previous
            places[np.uint64(target + c)] = np.uint8(k) if is_larger else places[np.uint64(target + c)]


@driver
def max_pool(images, out, places, size, first, last):
    """The largest of each window of ``size`` x ``size`` pixels, and its place there, of several the first."""
    height, width, channels = images.shape[1], images.shape[2], images.shape[3]
    rows, columns = out.shape[1], out.shape[2]
    pixels, best, found = images.reshape(-1), out.reshape(-1), places.reshape(-1)
    for n in range(first, last):
        for row in range(rows):
            for column in range(columns):
                target = ((n * rows + row) * columns + column) * channels
                start = ((n * height + row * size) * width + column * size) * channels
                _largest(pixels, start, channels, width * channels, size, best, found, target, channels)
    return 0


@row_loop
def _pull_place(grad, places, source, place, pixels, target, channels):
    """The gradient of one pixel of a window: what came from its place, else zero."""
    zero = grad[0] * 0
    for c in range(channels):
        came = places[np.uint64(source + c)] == place
        pixels[np.uint64(target + c)] = grad[np.uint64(source + c)] if came else zero


@driver
def max_unpool(grad_out, places, grad_images, size, first, last):
    """The gradient of :func:`max_pool`: each number goes to the pixel that was the largest, the window's others get zero.

    What no window holds is not written.
    """
    height, width, channels = grad_images.shape[1], grad_images.shape[2], grad_images.shape[3]
    rows, columns = grad_out.shape[1], grad_out.shape[2]
    grad, found, pixels = grad_out.reshape(-1), places.reshape(-1), grad_images.reshape(-1)
    for n in range(first, last):
        for row in range(rows):
            for column in range(columns):
                source = ((n * rows + row) * columns + column) * channels
                start = ((n * height + row * size) * width + column * size) * channels
                for k in range(size * size):
                    target = start + (k // size * width + k % size) * channels
                    _pull_place(grad, found, source, np.uint8(k), pixels, target, channels)
    return 0
