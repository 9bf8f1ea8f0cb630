"""Where two transformers look when the digits of two channels are to be added: one channel is shown red, the other cyan.

    python examples/mnist_addition/figure.py RESULTS FIGURE --data mnist/

RESULTS is what train.py wrote, with its checkpoint of "2 x ST-CNN".
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from digits import load_digits
from looks import BLUE, ORANGE, draw_look, panel, sheet
from mnist_addition.train import SIDE, TEST_SEED, build, pairs

from warpkit.localiser import Parallel, SpatialTransformer, load

COLUMNS, ENLARGED = 12, 84


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    digits = load_digits(options.data)
    images, _ = pairs(digits.test_images, digits.test_labels, np.random.default_rng(TEST_SEED))
    images = images[:COLUMNS]
    net = build("2 x ST-CNN", seed=0)
    load(options.results / "2-x-ST-CNN.npz", net)
    both = net.layers[0].layers[0]
    assert isinstance(both, Parallel)
    looks = [panel(image, ENLARGED) for image in images]
    rows = [looks]
    for transformer, colour in zip(both.layers, (ORANGE, BLUE), strict=True):
        assert isinstance(transformer, SpatialTransformer)
        outputs, _ = transformer(images)
        rows.append([panel(image, ENLARGED) for image in outputs])
        for drawing, transform in zip(looks, transformer.transforms(images), strict=True):
            draw_look(drawing, SIDE, transform, outputs.shape[1:3], colour)
    cv2.imwrite(str(options.figure), sheet(rows))
    print("wrote", options.figure)


if __name__ == "__main__":
    main()
