"""Other libraries' arrays and names; each module is imported only when asked for: ``import warpkit.interop.torch``."""
