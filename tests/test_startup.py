"""What is left out of stderr while TensorFlow is imported, and what is not."""

import os

import pytest

from keras_attend import startup

pytestmark = pytest.mark.packaging

NOISE = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written\n"
    b"I0000 00:00:1795899489.689067   29396 port.cc:153] oneDNN operations are on.\n"
    b"To enable the following instructions: AVX2 FMA, in other operations, rebuild\n"
)


def test_noise_is_left_out_and_the_rest_is_kept(capfd):
    with startup.quiet():
        os.write(2, NOISE + b"a warning of another library\n")
    assert capfd.readouterr().err == "a warning of another library\n"


def test_everything_is_shown_when_the_import_fails(capfd):
    with pytest.raises(OSError, match="no such library"), startup.quiet():
        os.write(2, NOISE)
        raise OSError("no such library")
    assert capfd.readouterr().err == NOISE.decode()


def test_a_process_without_stderr(capfd):
    kept = os.dup(2)
    os.close(2)
    try:
        with startup.quiet():
            done = True
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert done


@pytest.mark.parametrize(("value", "wanted"), [("", 0), ("0", 0), ("no", 0), ("1", 1)])
def test_the_variable_that_shows_all(value, wanted, monkeypatch):
    monkeypatch.setenv(startup.VERBOSE, value)
    assert startup.is_verbose() == bool(wanted)
