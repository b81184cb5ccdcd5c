"""The subcommands of `keras-attend`, a file each; `keras_attend.cli` runs them."""
