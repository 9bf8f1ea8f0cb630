"""`warpkit demo`: the main job on a bundled picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .errors import PictureError
from .opencv import require_cv2
from .pictures import Picture, write_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from warpkit import Transform


@click.command()
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-output"), show_default=True,
    metavar="FOLDER", help="Folder to write into; replaces what the demo wrote there.",
)  # fmt: skip
def demo(output: Path) -> None:
    """Warp a bundled picture by each family of maps; writes the pictures and one panel to look at."""
    require_cv2()
    import warpkit as wk

    from .drawing import side_by_side, with_moved_grid

    picture = bundled_picture()
    shape = picture.shape[:2]
    titles, pictures, grids = ["original"], [picture], [with_moved_grid(picture, wk.Affine.identity(), shape)]
    try:
        write_picture(output / "original.png", Picture((picture,)))
        for name, inverse_map in demo_maps(shape).items():
            start = time.perf_counter()
            warped = wk.warp(picture, inverse_map)
            first = time.perf_counter() - start
            start = time.perf_counter()
            wk.warp(picture, inverse_map, out=warped)
            again = time.perf_counter() - start
            write_picture(output / f"{name}.png", Picture((warped,)))
            click.echo(f"{name:22} {1e3 * again:7.2f} ms (the first time {1e3 * first:.0f} ms)  {output / name}.png")
            titles.append(name.replace("_", " "))
            pictures.append(warped)
            grids.append(with_moved_grid(warped, inverse_map, shape))
        titles += ["its grid"] + ["how it moved"] * (len(grids) - 1)
        panel = side_by_side(titles, pictures + grids, columns=len(pictures))
        write_picture(output / "panel.png", Picture((panel,)))
    except PictureError as error:
        raise click.ClickException(f"{output}: {error}") from None
    click.echo(f"look at {output / 'panel.png'}")


def bundled_picture() -> NDArray[Any]:
    """The cat that comes with scikit-image, BGR."""
    try:
        import skimage.data
    except ImportError:
        raise click.ClickException("the demo's picture comes with scikit-image: pip install 'numba-warpkit[cli]'") from None
    pixels: NDArray[Any] = skimage.data.chelsea()[..., ::-1].copy()
    return pixels


def demo_maps(shape: tuple[int, int]) -> dict[str, Transform]:
    """One inverse map of each family for a picture of ``shape`` (rows, columns)."""
    import numpy as np

    import warpkit as wk

    rows, columns = shape
    center = ((columns - 1) / 2, (rows - 1) / 2)
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    corners = unit * (columns - 1, rows - 1)
    pulled_in = [[0.18, 0.06], [0.94, 0.0], [0.82, 0.98], [0.0, 0.86]] * np.array([columns - 1, rows - 1])
    across, down = np.meshgrid(np.linspace(0, columns - 1, 4), np.linspace(0, rows - 1, 4))
    control_points = np.column_stack([across.ravel(), down.ravel()])
    push = np.random.default_rng(5).normal(0, 0.05 * rows, control_points.shape)
    push[[0, 3, 12, 15]] = 0
    affine = wk.Affine.rotation(17, center) @ wk.Affine.shearing(10, center=center) @ wk.Affine.scaling(0.8, center=center)
    return {
        "affine": affine.inverse,
        "projective": wk.Projective.from_quads(pulled_in, corners),
        "thin_plate_spline": wk.ThinPlateSpline(control_points + push, control_points),
        "elastic": wk.DisplacementField.elastic(shape, alpha=500, sigma=16, seed=3),
    }
