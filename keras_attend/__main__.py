"""`python -m keras_attend` is the `keras-attend` command."""

from keras_attend.commands.main import main

raise SystemExit(main())
