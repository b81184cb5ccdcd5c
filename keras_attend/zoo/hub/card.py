"""What a card on the Hugging Face Hub says beside what every preset's card says.

Its front matter is YAML that the Hub reads. It is written as JSON, value by value,
which is YAML too: no description, however odd, becomes anything but a text.
"""

import ast
import json
from typing import Any

from keras_attend.zoo.checks.files import read_limited, regular_file
from keras_attend.zoo.presets import ModelInfo
from keras_attend.zoo.results import METRICS, Result, Results

TAGS = ["keras", "keras_attend", "visual-attention"]
MAX_FRONT_MATTER = 2**16
# The Hub's names of tasks, by what a preset's own says.
TASKS = {
    "classification": "image-classification",
    "catch": "reinforcement-learning",
    "game": "reinforcement-learning",
    "track": "object-detection",  # the Hub has no tracking
}


def front_matter(preset: ModelInfo, results: Results | None) -> str:
    """The head of a card, with the results as the Hub's `model-index`."""
    fields: dict[str, Any] = {
        "library_name": "keras",
        "license": preset.licence.lower(),
        "tags": TAGS,
    }
    task = _task(preset)
    if task:
        fields["pipeline_tag"] = task
    if results is not None and results.results:
        # `name` is what the Hub shows; a dataset and a task are obligatory.
        fields["model-index"] = [
            {
                "name": preset.name,
                "results": [_index(task, row) for row in results.results],
            }
        ]
    lines = [f"{key}: {_yaml(value)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---", ""])


def _yaml(value: Any) -> str:
    """A value as JSON that is YAML too."""
    # JSON leaves DEL and the like as they are, which YAML forbids: ASCII only.
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f")


def _task(preset: ModelInfo) -> str | None:
    for word, task in TASKS.items():
        if word in preset.task.lower():
            return task
    return None


def _index(task: str | None, result: Result) -> dict[str, Any]:
    """A result as the Hub has it."""
    data, _, protocol = result.protocol.partition("/")
    return {
        "task": {"type": task or "other"},
        "dataset": {"name": data, "type": data, "config": protocol or "default"},
        "metrics": [
            {
                "type": result.metric,
                "name": METRICS[result.metric].words,
                "value": result.value,
                "verified": False,
            }
        ],
    }


def sections(preset: ModelInfo) -> str:
    """What the model is for, and how it was trained."""
    text = (
        "\n## Intended use\n\n"
        f"Research on, and teaching of, visual attention: {preset.task}. It takes "
        f"{preset.input}. It was measured on the data below and on nothing else; do "
        "not use it to watch people, nor where an error harms somebody.\n\n"
        "`keras.saving.load_model` loads it too, once `keras_attend` is imported.\n"
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
    """The head of a preset's recipe. It is read, never run."""
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
    """Whether a card has a front matter; one that is no plain YAML raises.

    Tags (`!!python/object`) and aliases, which make gigabytes of some bytes, are
    refused before any value is made.
    """
    if not card.startswith("---"):
        return False
    import yaml  # which the Hub's client brings

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
