"""The shape of the library: which way imports point, and what its public names promise."""

import ast
import inspect
from pathlib import Path

import pytest

import warpkit as wk
from warpkit import conventions

PACKAGE = Path(wk.__file__).parent
SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}

FORBIDDEN = {"cli", "warpkit_cli", "cv2", "scipy", "click", "tqdm", "tifffile", "PIL"}
# Interop with other frameworks imports them, when asked to.
FORBIDDEN_OUTSIDE_INTEROP = {"torch", "jax", "dask", "skimage"}
# What a file imports when asked for what only an extra has.
EXTRAS = {"transforms/piecewise_affine.py": {"scipy"}}
FOUNDATIONS = {"checks", "threads"}  # what transforms may use of warpkit beside kernels and one another


def absolute_name(path, node):
    """The module that ``from ... import`` in a file of the package names."""
    if node.level == 0:
        return node.module
    folders = ["warpkit", *path.relative_to(PACKAGE).parent.parts]
    return ".".join([*folders[: len(folders) - node.level + 1], *([node.module] if node.module else [])])


def imports(path):
    """All modules that a file imports, at any level of nesting; with the names imported from them, which may be modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute_name(path, node)
            found.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
    return found


def own_modules(path):
    """The modules and subpackages directly under warpkit that a file imports."""
    parts = [name.split(".") for name in imports(path)]
    children = {entry.stem for entry in PACKAGE.iterdir()}
    return {name[1] for name in parts if name[0] == "warpkit" and len(name) > 1 and name[1] in children}


def sources_in(folder):
    return [path for name, path in SOURCES.items() if name.startswith(f"{folder}/")]


def test_the_reader_of_imports_understands_all_forms():
    assert {"warpkit.kernels.maps", "warpkit.checks", "numpy"} <= imports(SOURCES["transforms/affine.py"])
    assert own_modules(SOURCES["transforms/affine.py"]) >= {"kernels", "checks"}
    assert "warpkit.transforms.composition" in imports(SOURCES["transforms/base.py"]), "an import inside a function"


@pytest.mark.parametrize("path", sources_in("kernels"), ids=lambda path: path.name)
def test_kernels_import_nothing_of_the_library_but_kernels(path):
    assert own_modules(path) <= {"kernels"}


@pytest.mark.parametrize("path", sources_in("transforms"), ids=lambda path: path.name)
def test_transforms_know_nothing_of_pixels(path):
    assert own_modules(path) <= {"transforms", "kernels"} | FOUNDATIONS
    drivers = {name for name in imports(path) if name.startswith(("warpkit.kernels.cpu", "warpkit.kernels.cuda"))}
    assert not drivers


@pytest.mark.parametrize("name", SOURCES)
def test_the_library_imports_no_other_image_library_and_no_command_line(name):
    imported = {module.split(".")[0] for module in imports(SOURCES[name])}
    assert not imported & (FORBIDDEN - EXTRAS.get(name, set()))
    if not name.startswith("interop/"):
        assert not imported & FORBIDDEN_OUTSIDE_INTEROP


def test_foundations_import_nothing_above_them():
    assert own_modules(SOURCES["checks.py"]) == set()
    assert own_modules(SOURCES["threads.py"]) <= {"checks"}
    assert own_modules(SOURCES["pixels.py"]) <= {"checks"}
    assert own_modules(SOURCES["conventions.py"]) <= {"checks", "transforms"}


def test_one_file_knows_which_package_compiles_for_cuda():
    packages = ("numba.cuda", "numba_cuda", "numba_cuda_mlir")
    knowing = {name for name, path in SOURCES.items() if any(module.startswith(packages) for module in imports(path))}
    assert knowing == {"kernels/cuda_target.py"}


def depends_on(path, target, seen):
    """Whether a module imports another of the package's, directly or through others."""
    for module in imports(path):
        name = module.removeprefix("warpkit.").replace(".", "/") + ".py"
        if module.startswith("warpkit.") and name in SOURCES and name not in seen:
            seen.add(name)
            if name == target or depends_on(SOURCES[name], target, seen):
                return True
    return False


# Transforms know one another: a matrix product makes a composition, which is one of them.
OUTSIDE_TRANSFORMS = [name for name in SOURCES if not name.endswith("__init__.py") and not name.startswith("transforms/")]


@pytest.mark.parametrize("name", OUTSIDE_TRANSFORMS)
def test_imports_do_not_run_in_circles(name):
    assert not depends_on(SOURCES[name], name, set())


# --- public names ----------------------------------------------------------------------------------------------------------

FAMILIES = [
    *(wk.Affine, wk.BrownConrady, wk.Composition, wk.Cylindrical, wk.DisplacementField, wk.Fisheye, wk.Inverse),
    *(wk.PiecewiseAffine, wk.Polar, wk.Polynomial, wk.Projective, wk.Swirl, wk.ThinPlateSpline),
]
SAMPLING_FUNCTIONS = [name for name in wk.__all__ if name.removesuffix("_vjp") in ("warp", "warp_batch", "sample")]


def test_all_lists_what_the_package_offers():
    assert len(set(wk.__all__)) == len(wk.__all__)
    offered = {name for name, value in vars(wk).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert offered | {"__version__", "conventions"} == set(wk.__all__)


@pytest.mark.parametrize("name", [name for name in wk.__all__ if name != "__version__"])
def test_every_public_name_has_a_docstring(name):
    assert inspect.getdoc(getattr(wk, name))


@pytest.mark.parametrize("family", [wk.Transform, *FAMILIES], ids=lambda family: family.__name__)
def test_every_public_method_has_a_docstring(family):
    for name, method in inspect.getmembers(family, inspect.isroutine):
        assert name.startswith("_") or inspect.getdoc(method), name


def test_every_public_function_of_conventions_has_a_docstring():
    for name, function in inspect.getmembers(conventions, inspect.isfunction):
        assert name.startswith("_") or inspect.getdoc(function), name


@pytest.mark.parametrize("name", SAMPLING_FUNCTIONS)
def test_options_are_keyword_only(name):
    parameters = inspect.signature(getattr(wk, name)).parameters
    options = [key for key, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY]
    assert options[:3] == ["interpolation", "mode", "cval"]
    positional = [key for key in parameters if key not in options]
    assert positional in (
        ["image", "inverse_map", "output_shape"],
        ["images", "inverse_maps", "output_shape"],
        ["image", "grid"],
    )


def test_the_sampling_functions_are_all_there():
    assert {"warp", "warp_batch", "sample"} <= set(SAMPLING_FUNCTIONS)


def test_options_mean_the_same_in_all_sampling_functions():
    for option in ("interpolation", "mode", "cval"):
        defaults = {inspect.signature(getattr(wk, name)).parameters[option].default for name in SAMPLING_FUNCTIONS}
        assert len(defaults) == 1
