# Both make .venv themselves and need nothing but python3.
PYTHON ?= python3
PIP_INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-torch test-jax test-cuda test-faults test-mutations test-coverage fuzz lint types benchmark clean

demo: .venv/demo-installed
	.venv/bin/warpkit demo --output demo-output

test: .venv/test-installed
	.venv/bin/warpkit doctor --warm
	.venv/bin/python -m pytest

# PyTorch is an extra: the CPU build that constraints.txt names.
test-torch: .venv/torch-installed
	.venv/bin/python -m pytest tests/test_interop_torch.py tests/test_pytorch_expectations.py tests/test_torch_surroundings.py tests/test_localiser_torch.py

test-jax: .venv/jax-installed
	.venv/bin/python -m pytest tests/test_interop_jax.py

# The CUDA kernels without a GPU: on Numba's simulator, then compiled. Where a GPU is, the first file runs on it as well.
test-cuda: .venv/test-installed .venv/cuda12-installed
	NUMBA_ENABLE_CUDASIM=1 NUMBA_DISABLE_JIT=1 .venv/bin/python -m pytest tests/test_cuda.py tests/test_cuda_parts.py tests/test_cuda_lacks.py tests/test_cuda_torch.py
	.venv/bin/python -m pytest tests/test_cuda.py tests/test_cuda_parts.py tests/test_cuda_lacks.py tests/test_cuda_ptx.py tests/test_gpu_door.py tests/test_gpu_libraries.py

# The faults that the tests try in a small version: a batch killed 20 times, 2,000 mixed files.
test-faults: .venv/test-installed
	WARPKIT_FAULT_ROUNDS=20 .venv/bin/python -m pytest --numprocesses=0 tests/test_faults.py

# Faults planted in a copy, which the tests must catch.
test-mutations: .venv/test-installed
	.venv/bin/python tests/mutations.py

# How much of the code the tests execute, by line and by branch: a quarter of an hour or more, since kernels run without their compiler.
test-coverage: .venv/coverage-installed
	.venv/bin/python tests/covered.py

# Three seconds for each reader of our own files, where there is an atheris for this Python.
fuzz: .venv/test-installed
	if $(PIP_INSTALL) atheris; then .venv/bin/python -m fuzz; else echo "no atheris for this Python: skipped"; fi

lint: .venv/lint-installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: .venv/lint-installed .venv/test-installed
	.venv/bin/mypy

benchmark: .venv/benchmark-installed
	.venv/bin/python -m benchmarks $(SETS)

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/%-installed: pyproject.toml | .venv/bin/python
	$(PIP_INSTALL) --constraint constraints.txt --editable '.[$(if $(filter demo,$*),cli,$*)]'
	touch $@

clean:
	rm -rf .venv build dist demo-output *.egg-info
