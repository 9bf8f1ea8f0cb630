"""Fuzzing of the readers of our own files: transforms, point pairs, manifests, options."""
