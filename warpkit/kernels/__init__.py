"""Compiled code: per-point maps, tap rules, and the drivers of the CPU and of CUDA."""
