"""The version, apart from everything that needs numba to be installed."""

__version__ = "0.1.0"
