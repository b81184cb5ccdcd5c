"""`python -m keras_attend` is the `keras-attend` command."""

from keras_attend.cli import main

raise SystemExit(main())
