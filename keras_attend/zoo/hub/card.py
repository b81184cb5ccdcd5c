"""Write the parts that a card on the Hugging Face Hub has beside a preset's own card.

The Hub reads the front matter, which is YAML. Each value is written as JSON, which is
YAML too: no description, however odd, becomes anything but a text.
"""

import ast
import json
from typing import Any

from keras_attend.zoo.checks.files import read_limited, regular_file
from keras_attend.zoo.presets import ModelInfo
from keras_attend.zoo.results import METRICS, Result, Results

TAGS = ["keras", "keras_attend", "visual-attention"]
MAX_FRONT_MATTER = 2**16
# The Hub's names of tasks, by a word in the preset's description of its task.
TASKS = {
    "classification": "image-classification",
    "catch": "reinforcement-learning",
    "game": "reinforcement-learning",
    "track": "object-detection",  # the Hub has no tracking
}


def front_matter(preset: ModelInfo, results: Results | None) -> str:
    """Return a card's front matter, with the results as the Hub's `model-index`."""
    license = preset.licence.lower()
    fields: dict[str, Any] = {"library_name": "keras", "license": license, "tags": TAGS}
    found = (task for word, task in TASKS.items() if word in preset.task.lower())
    task = next(found, None)
    if task:
        fields["pipeline_tag"] = task
    if results is not None and results.results:
        rows = [_index(task, result) for result in results.results]
        fields["model-index"] = [{"name": preset.name, "results": rows}]
    lines = [f"{key}: {_yaml(value)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---", ""])


def _yaml(value: Any) -> str:
    """Return a value as JSON that is YAML too."""
    # ASCII only: JSON leaves control characters such as DEL, which YAML forbids.
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")


def _index(task: str | None, result: Result) -> dict[str, Any]:
    """Return a result in the Hub's format, which demands a task and a dataset."""
    data, _, protocol = result.protocol.partition("/")
    words, value = METRICS[result.metric].words, result.value
    metric = {"type": result.metric, "name": words, "value": value, "verified": False}
    return {
        "task": {"type": task or "other"},
        "dataset": {"name": data, "type": data, "config": protocol or "default"},
        "metrics": [metric],
    }


def sections(preset: ModelInfo) -> str:
    """Return the sections on what a model is for and how it was trained."""
    text = (
        "\n## Intended use\n\n"
        f"Research on, and teaching of, visual attention: {preset.task}. It takes "
        f"{preset.input}. It was measured on the data below and on nothing else; do "
        "not use it to watch people, nor where an error harms somebody.\n\n"
        "`keras.saving.load_model` loads it too, after `import keras_attend.models`.\n"
        "\n## Training data, and training\n\n"
    )
    told = _recipe(preset)
    if told is None:
        return text + "Its authors have not said what it was trained on.\n"
    return (
        text + "As the recipe, [`recipe.py`](recipe.py), says:\n\n"
        "```text\n" + told.replace("```", "'''") + "\n```\n"
    )


def _recipe(preset: ModelInfo) -> str | None:
    """Return the docstring of a preset's recipe, which is read and never run."""
    if not (preset.folder / "recipe.py").is_file():
        return None
    path = regular_file(preset.folder, "recipe.py")
    try:
        return ast.get_docstring(ast.parse(read_limited(path)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"{path} must be Python. Received: {type(error).__name__}: {error}"
        ) from error


def check_front_matter(card: str) -> bool:
    """Return whether a card has a front matter; raise if it is no plain YAML.

    Tags (`!!python/object`) and aliases, by which a few bytes become gigabytes, are
    refused before any value is made.
    """
    if not card.startswith("---"):
        return False
    import yaml  # the Hub's client requires it

    head, end, _ = card[3:].partition("\n---")
    try:
        if not end or len(head) > MAX_FRONT_MATTER:
            raise ValueError(f"no end within {MAX_FRONT_MATTER} characters")
        for event in yaml.parse(head, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise ValueError("an alias")
            if str(getattr(event, "tag", None) or "").startswith(("!", "tag:")):
                raise ValueError(f"the tag {event.tag}")
        if not isinstance(yaml.safe_load(head), dict):
            raise ValueError("no table of fields")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(
            "README.md must begin with plain YAML between two lines of `---`. "
            f"Received: {error}"
        ) from error
    return True
