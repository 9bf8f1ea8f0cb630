"""Line and branch coverage of warpkit and of the command, from several runs of the tests. `make test-coverage`.

Machine code leaves no trace that coverage could see. So kernels run as the Python that they are written in: those of the CPU
and, on Numba's simulator, those of CUDA. What writes machine code runs in the compiler alone: a third run compiles some kernels
anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PERCENT = 95

# As plain Python these would take minutes, or they are about machine code.
LEFT_OUT = (
    "test_accuracy.py",
    "test_against_peers.py",
    "test_cli_register.py",
    "test_concurrency.py",
    "test_cuda.py",
    "test_cuda_lacks.py",
    "test_cuda_parts.py",
    "test_cuda_ptx.py",
    "test_cuda_torch.py",
    "test_examples.py",
    "test_exactness.py",
    "test_faults.py",
    "test_gallery.py",
    "test_house_numbers.py",
    "test_interop_opencv.py",
    "test_interop_scipy.py",
    "test_interop_skimage.py",
    "test_kernel_cache.py",
    "test_large_files.py",
    "test_moving_points.py",
    "test_packaging.py",
    "test_pytorch_expectations.py",
    "test_registration.py",
    "test_same_bits.py",
    "test_scheduler.py",
    "test_torch_surroundings.py",
    "test_vector_paths.py",
)
TOO_SLOW = (
    "test_antialias.py::test_a_constant_picture_stays_constant[70.0",
    "test_antialias.py::test_a_part_of_the_output_is_that_part_of_the_whole",
    "test_antialias.py::test_a_spline_on_a_lattice_is_as_near_as_its_tolerance",
    "test_antialias.py::test_rings_too_fine_for_the_output_become_grey_and_not_other_rings",
    "test_antialias.py::test_there_is_no_seam_where_a_homography_begins_to_shrink",
    "test_antialias.py::test_threads_and_batches_do_not_change_bits",
    "test_batch_runs.py::test_a_full_disk_ends_the_run_and_resume_goes_on",
    "test_cli.py::test_demo_writes_pictures_and_a_panel",
    "test_cli.py::test_interrupt_leaves_no_partial_file",
    "test_derivatives.py::test_image_gradient_is_the_adjoint[inverse",
    "test_derivatives.py::test_gradients_are_the_same_bits_for_any_number_of_threads",
    "test_interop_dask.py::test_any_chunks_have_the_bits_of_the_whole",
    "test_interop_dask.py::test_chunks_have_the_bits_of_the_whole[inverse",
    "test_interop_jax.py::test_large_pictures_under_jit",
    "test_interop_torch.py::test_grid_sample_equals_pytorchs_in_float64[shape1-bicubic",
    "test_interop_torch.py::test_first_and_second_derivatives_agree_with_differences[bicubic",
    "test_interop_torch.py::test_first_and_second_derivatives_agree_with_differences[bilinear-border",
    "test_interop_torch.py::test_first_and_second_derivatives_agree_with_differences[bilinear-reflection",
    "test_localiser.py::test_splines_on_a_large_canvas_are_what_they_are_on_a_small_one",
    "test_localiser.py::test_training_learns_and_repeats",
    "test_more_families.py::test_parameter_gradient_agrees_with_differences[inverse of",
    "test_normal_equations.py::test_equal_the_jacobian_written_out[inverse spline]",
    "test_normal_equations.py::test_equal_the_jacobian_written_out[composition]",
    "test_normal_equations.py::test_same_bits_for_any_number_of_threads",
    "test_parts.py::test_parts_by_other_kernels",
    "test_parts.py::test_parts_have_the_bits_of_the_whole",
    "test_parts.py::test_parts_of_antialiased_pictures_too",
    "test_parts.py::test_windows_of_large_pictures_are_tight",
    "test_picture_files.py::test_png_keeps_xmp_of_any_length",
    "test_stretch.py::test_what_shrinks_is_never_proven_not_to",
    "test_sampling_kernels.py::test_any_number_of_threads_gives_the_same_bits",
    "test_sampling_kernels.py::test_blocks_have_the_bits_of_single_points",
)
PLAIN = (
    "--hypothesis-profile=few",
    *(f"--ignore=tests/{name}" for name in LEFT_OUT),
    *(f"--deselect=tests/{name}" for name in TOO_SLOW),
)
SIMULATED = tuple(
    f"tests/{name}.py" for name in ("test_cuda", "test_cuda_parts", "test_cuda_lacks", "test_cuda_torch", "test_gpu_door")
)
COMPILED = (
    "tests/test_kernel_cache.py::test_a_damaged_cache_costs_a_compilation",
    "tests/test_kernel_cache.py::test_without_any_writable_folder_every_process_compiles",
    "tests/test_vector_paths.py::test_every_processor_makes_the_same_pictures[generic]",
    "tests/test_batch_runs.py::test_a_full_disk_ends_the_run_and_resume_goes_on",
    "tests/test_cli.py::test_demo_writes_pictures_and_a_panel",
    # thousands of calls or large pictures, for the Python around the kernels
    "tests/test_cli_register.py",
    "tests/test_interop_opencv.py",
    "tests/test_interop_scipy.py",
    "tests/test_interop_skimage.py",
    "tests/test_large_files.py",
    "tests/test_moving_points.py",
    "tests/test_parts.py",
    "tests/test_picture_files.py::test_png_keeps_xmp_of_any_length",
    "tests/test_registration.py",
    "tests/test_scheduler.py",
)


def run(arguments: tuple[str, ...], **surroundings: str) -> bool:
    """Whether pytest passes in these surroundings; it, and each of its child processes, writes a file of what it executed."""
    command = [sys.executable, "-m", "coverage", "run", "-m", "pytest", "-q", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | surroundings, check=False).returncode == 0


def percentages(report: dict[str, Any], folder: str) -> tuple[float, float]:
    """Of the lines and of the branches of all files in a folder."""
    summaries = [file["summary"] for name, file in report["files"].items() if Path(name).parts[0] == folder]

    def share(part: str, whole: str) -> float:
        return 100 * sum(summary[part] for summary in summaries) / sum(summary[whole] for summary in summaries)

    return share("covered_lines", "num_statements"), share("covered_branches", "num_branches")


def main() -> int:
    coverage = [sys.executable, "-m", "coverage"]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COVERAGE_FILE"] = f"{folder}/.coverage"
        passed = [
            run(PLAIN, NUMBA_DISABLE_JIT="1"),
            run(SIMULATED, NUMBA_DISABLE_JIT="1", NUMBA_ENABLE_CUDASIM="1"),
            run(COMPILED, NUMBA_CACHE_DIR=f"{folder}/cache"),
        ]
        subprocess.run([*coverage, "combine", "--quiet", folder], cwd=ROOT, check=True)
        subprocess.run([*coverage, "report"], cwd=ROOT, check=True)
        subprocess.run([*coverage, "json", "--quiet", "-o", f"{folder}/report.json"], cwd=ROOT, check=True)
        report = json.loads(Path(folder, "report.json").read_text())
    shares = {name: percentages(report, name) for name in ("warpkit", "cli")}
    for name, (lines, branches) in shares.items():
        print(f"{name}: {lines:.1f} percent of lines, {branches:.1f} percent of branches")
    return 0 if all(passed) and min(min(pair) for pair in shares.values()) >= PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
