"""The subcommands of `keras-attend`, a file each; `main` runs them."""
