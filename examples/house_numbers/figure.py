"""Where the single transformer looks: synthetic house numbers of the test, the border of what it takes, what the net sees.

    python examples/house_numbers/figure.py RESULTS FIGURE --data mnist/ --side 128

RESULTS is what train.py wrote, with its checkpoint of "ST-CNN Single".
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from digits import load_digits
from house_numbers.nets import build
from house_numbers.synthetic import NONE
from house_numbers.train import synthetic_test
from looks import ORANGE, draw_look, panel, sheet

from warpkit.localiser import SpatialTransformer, load, predict

COLUMNS, ENLARGED = 8, 128


def shown(images: np.ndarray) -> np.ndarray:
    """Pictures as nets take them, brought to 0 to 1 again."""
    low, high = images.min(axis=(1, 2, 3), keepdims=True), images.max(axis=(1, 2, 3), keepdims=True)
    return (images - low) / (high - low)


def written(number: np.ndarray, right: bool) -> np.ndarray:
    """What was read, as a panel: green if it is right."""
    text = "".join(str(digit) if digit != NONE else " " for digit in number).strip()
    drawing = np.zeros((30, ENLARGED, 3), np.uint8)
    colour = (90, 220, 90) if right else (90, 90, 255)
    cv2.putText(drawing, text, (30, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, 1, cv2.LINE_AA)
    return drawing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--side", type=int, default=64, choices=(64, 128))
    options = parser.parse_args()
    digits = load_digits(options.data)
    images, numbers = synthetic_test(digits.test_images, digits.test_labels, options.side)
    images, numbers = images[: 2 * COLUMNS], numbers[: 2 * COLUMNS]
    net = build("ST-CNN Single", options.side, seed=0)
    load(options.results / f"ST-CNN-Single-{options.side}-px.npz", net)
    transformer = net.layers[0]
    assert isinstance(transformer, SpatialTransformer)
    outputs, _ = transformer(images)
    read = predict(net, images).argmax(axis=-1)
    looks = [panel(image, ENLARGED) for image in shown(images)]
    for drawing, transform in zip(looks, transformer.transforms(images), strict=True):
        draw_look(drawing, options.side, transform, outputs.shape[1:3], ORANGE)
    seen = [panel(image, ENLARGED) for image in shown(outputs)]
    answers = [written(number, bool((number == truth).all())) for number, truth in zip(read, numbers, strict=True)]
    parts = [slice(0, COLUMNS), slice(COLUMNS, 2 * COLUMNS)]
    cv2.imwrite(str(options.figure), sheet([row[part] for part in parts for row in (looks, seen, answers)]))
    print("wrote", options.figure)


if __name__ == "__main__":
    main()
