"""Fuzz a reader, guided by which lines of this package its input reaches.

    pip install atheris
    cd tests/hostile/fuzz
    python fuzzer.py config -max_total_time=60 FOUND
    python fuzzer.py config -merge=1 corpus/config FOUND

The first argument is a name of `readers.READERS`, the others are libFuzzer's: new
inputs go to the folder FOUND, an input that ends in a fault to `crash-...` in the
current folder. The corpus of the reader is read in any case. What is worth keeping
goes into the corpus, which `test_corpus.py` reads whenever tests are run.
"""

import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).parent


def main():
    sys.path[:0] = [str(HERE.parents[2]), str(HERE)]
    import keras  # noqa: F401 (first, and not guided by)

    with atheris.instrument_imports(include=["keras_attend", "keras_attend_runtime"]):
        import readers

    name, *options = sys.argv[1:]
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=place if place.is_dir() else None) as folder:

        def one(data):
            readers.read(name, data, Path(folder))

        corpus = [] if "-merge=1" in options else [str(HERE / "corpus" / name)]
        limits = ["-timeout=120", "-max_len=20000", "-close_fd_mask=0"]
        atheris.Setup([sys.argv[0], *limits, *options, *corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
