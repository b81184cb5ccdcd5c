"""Run the tutorials and store them with what they print and draw.

python notebooks/store.py [NOTEBOOK ...]
"""

import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat

HERE = Path(__file__).parent
LOGGED = "WARNING:tensorflow"  # which it prints


def tidy(outputs: list[Any]) -> list[Any]:
    """One block of what was printed, without what libraries log."""
    kept: list[Any] = []
    for output in outputs:
        if output.get("name") == "stderr" or output.get("text", "").startswith(LOGGED):
            continue
        if output.get("name") == "stdout" and kept and kept[-1].get("name") == "stdout":
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def main(paths: list[Path]) -> None:
    """Execute each notebook in its folder and write it back."""
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        nbclient.NotebookClient(
            notebook, timeout=1800, resources={"metadata": {"path": str(path.parent)}}
        ).execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # times of this run
            if cell.cell_type == "code":
                cell.outputs = tidy(cell.outputs)
        nbformat.write(notebook, path)
        print(path)


if __name__ == "__main__":
    main([Path(p) for p in sys.argv[1:]] or sorted(HERE.glob("*.ipynb")))
