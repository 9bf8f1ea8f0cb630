"""Compiled code: per-point maps, tap rules and the CPU tile driver."""
