"""Run the `keras-attend` command, as `python -m keras_attend`."""

from keras_attend.commands.main import main

raise SystemExit(main())
