"""The `warpkit` command, installed as the package `warpkit_cli`."""
