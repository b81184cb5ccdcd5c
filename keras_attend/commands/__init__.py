"""The subcommands of `keras-attend`, in a file each; `main` runs them."""
