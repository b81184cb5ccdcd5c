"""Each file of the fuzzers' corpus is read, or refused in words that name the file."""

import pytest
from fuzz import readers

CORPUS = readers.HERE / "corpus"


@pytest.mark.parametrize("name", readers.READERS)
def test_corpus(name, tmp_path):
    paths = sorted((CORPUS / name).iterdir())
    assert paths
    for path in paths:
        try:
            readers.read(name, path.read_bytes(), tmp_path)
        except Exception as error:
            raise AssertionError(f"{path}: {type(error).__name__}: {error}") from error


def test_a_fault_is_seen(tmp_path, monkeypatch):
    def fault(data, folder):
        raise ValueError("wrong")

    monkeypatch.setitem(readers.READERS, "config", fault)
    with pytest.raises(AssertionError, match="unclear: ValueError: wrong"):
        readers.read("config", b"{}", tmp_path)
