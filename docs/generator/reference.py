"""Write the pages of the API reference."""

from collections.abc import Iterable, Iterator
from typing import Any

from generator.docstrings import Docstring, markdown, parse
from generator.links import REPOSITORY, Names
from generator.public_names import Entry, Module, Reference

FOLDER = "reference"
VARIADIC = ("variadic positional", "variadic keyword")


def pages(reference: Reference, names: Names) -> Iterator[tuple[str, str]]:
    """Yield each page of the reference: its place in the site, and its text."""
    yield f"{FOLDER}/index.md", _index(reference)
    for module in reference.modules:
        text = names.link(_module_page(module, reference), module.path)
        yield f"{page_of(module)}.md", text
        for entry in module.entries:
            if entry.is_class:
                text = _class_page(entry, reference)
                text = names.link(text, module.path, own=entry.path)
                yield f"{page_of(module)}/{entry.name}.md", text


def page_of(module: Module) -> str:
    """Return the page of a module, without `.md`."""
    return f"{FOLDER}/{module.path.removeprefix('keras_attend.')}"


def first_sentence(text: str) -> str:
    """Return the first sentence of a docstring, as one line."""
    paragraph = parse(text).text.split("\n\n")[0].replace("\n", " ")
    return paragraph.removeprefix("$$").rstrip(".:") + "."


def _index(reference: Reference) -> str:
    lines = [
        "# API reference",
        "Every public name, by the module that has it. `B` is the number of samples in "
        "a batch, `T` of frames in a clip, `N` of objects; `H`, `W` and `C` are an "
        "image's height, width and channels. Boxes are `x, y, width, height` in "
        "pixels, with the top left corner at `x, y`, where no other unit is named.",
    ]
    for module in reference.modules:
        lines.append(f"## [`{module.path}`]({page_of(module).split('/')[1]}.md)")
        lines.append(first_sentence(module.docstring))
        refs = (f"{{py:obj}}`{e.name} <{e.path}>`" for e in module.entries)
        lines.append(" · ".join(refs))
    documents = [page_of(module).split("/")[1] for module in reference.modules]
    return "\n\n".join([*lines, _toctree(documents)])


def _module_page(module: Module, reference: Reference) -> str:
    classes = [entry for entry in module.entries if entry.is_class]
    others = [entry for entry in module.entries if not entry.is_class]
    folder = page_of(module).split("/")[1]
    found = parse(module.docstring)
    parts = [
        f"# {module.path}",
        f"```{{py:module}} {module.path}\n```",
        *_described(found, 2, {}),
    ]
    if classes:
        parts.append("## Classes")
        parts += [
            f"[`{entry.name}`]({folder}/{entry.name}.md)\n"
            f": {first_sentence(entry.docstring)}"
            for entry in classes
        ]
        parts.append(_toctree(f"{folder}/{entry.name}" for entry in classes))
    functions = [entry for entry in others if entry.definition.is_function]
    if functions:
        parts.append("## Functions")
        parts += [_function(entry, reference) for entry in functions]
    values = [entry for entry in others if entry not in functions]
    if values:
        parts.append("## Values")
        parts += [_value(entry, reference) for entry in values]
    return "\n\n".join(parts)


def _class_page(entry: Entry, reference: Reference) -> str:
    parameters = constructor(entry.definition)
    found = parse(entry.docstring)
    methods = reference.methods(entry)
    parts = [
        f"# {entry.name}",
        _directive("class", entry.module, entry.name, _signature(parameters)),
        _origin(entry, reference),
        *_described(found, 2, annotations(parameters)),
    ]
    if methods:
        parts.append("## Methods")
        parts += [_method(entry, method) for method in methods]
    for base in reference.public_bases(entry):
        inherited = [f"`{base.path}.{m.name}`" for m in reference.methods(base)]
        if inherited:
            parts.append(f"Of `{base.path}` it has {', '.join(inherited)}.")
    return "\n\n".join(parts)


def _origin(entry: Entry, reference: Reference) -> str:
    """Say what a class is derived from, and where its source is."""
    public = [base.path for base in reference.public_bases(entry)][:1]
    foreign = [str(base) for base in entry.definition.bases if "." in str(base)]
    known = [f"`{base}`" for base in public or foreign]
    of = f", derived from {', '.join(known)}" if known else ""
    return f"In `{entry.module}`{of}. [Source]({_source(entry.definition, reference)})"


def _source(definition: Any, reference: Reference) -> str:
    path = definition.filepath.relative_to(reference.root.resolve())
    first, last = definition.lineno, definition.endlineno
    return f"{REPOSITORY}/blob/main/{path.as_posix()}#L{first}-L{last}"


def _described(found: Docstring, level: int, notes: dict[str, str]) -> Iterator[str]:
    """Yield a docstring's text, then its sections."""
    yield found.text
    for section in found.sections:
        yield markdown(section, level, notes if section.is_of_arguments else None)


def _function(entry: Entry, reference: Reference) -> str:
    definition = entry.definition
    parameters = list(definition.parameters)
    signature = _signature(parameters, definition.returns)
    content = [
        *_described(parse(entry.docstring), 0, annotations(parameters)),
        f"[Source]({_source(definition, reference)})",
    ]
    return _directive("function", entry.module, entry.name, signature, content)


def _method(entry: Entry, definition: Any) -> str:
    content = parse(definition.docstring.value)
    name = f"{entry.name}.{definition.name}"
    if not definition.is_function:
        text = [*_described(content, 0, {})]
        return _directive("property", entry.module, name, "", text)
    parameters = [p for p in definition.parameters if p.name not in ("self", "cls")]
    text = [*_described(content, 0, annotations(parameters))]
    signature = _signature(parameters, definition.returns)
    kinds = {"classmethod", "staticmethod"} & set(definition.labels)
    return _directive("method", entry.module, name, signature, text, kinds)


def _value(entry: Entry, reference: Reference) -> str:
    definition = entry.definition
    value = f"```python\n{entry.name} = {definition.value}\n```"
    comment = _comment(definition)
    source = f"[Source]({_source(definition, reference)})"
    content = [part for part in (comment, value, source) if part]
    return _directive("data", entry.module, entry.name, "", content)


def _comment(definition: Any) -> str:
    """Return the comment that stands above or beside a value in the source."""
    lines = definition.filepath.read_text(encoding="utf-8").splitlines()
    beside = lines[definition.lineno - 1].partition("  # ")[2]
    above: list[str] = []
    for line in reversed(lines[: definition.lineno - 1]):
        if not line.startswith("# "):
            break
        above.insert(0, line[2:])
    found = beside or " ".join(above)
    return found[:1].upper() + found[1:].rstrip(".") + "." if found else ""


def constructor(definition: Any) -> list[Any]:
    """Return a class's parameters, of its bases where it passes them on."""
    for owner in (definition, *definition.mro()):
        if "__init__" not in owner.members:
            continue
        own = [p for p in owner.members["__init__"].parameters if p.name != "self"]
        if any(p.kind.value not in VARIADIC for p in own):
            return own
    return [p for p in definition.parameters if p.name != "self"]


def annotations(parameters: Iterable[Any]) -> dict[str, str]:
    """Return what to say of each parameter's type and default."""
    notes = {}
    for parameter in parameters:
        stars = {"variadic positional": "*", "variadic keyword": "**"}
        name = stars.get(parameter.kind.value, "") + parameter.name
        said = [f"`{parameter.annotation}`"] if parameter.annotation else []
        if parameter.default is not None and not name.startswith("*"):
            said.append(f"default `{parameter.default}`")
        notes[name] = f" ({', '.join(said)})" if said else ""
    return notes


def _signature(parameters: Iterable[Any], returns: Any = None) -> str:
    parts: list[str] = []
    before = ""
    for p in parameters:
        kind = p.kind.value
        if before == "positional-only" and kind != before:
            parts.append("/")
        if kind == "keyword-only" and before not in (kind, "variadic positional"):
            parts.append("*")
        stars = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        text = stars + p.name + (f": {_type(p.annotation)}" if p.annotation else "")
        if p.default is not None and not stars:
            text += f" = {p.default}" if p.annotation else f"={p.default}"
        parts.append(text)
        before = kind
    result = f" -> {_type(returns)}" if returns else ""
    return f"({', '.join(parts)}){result}"


def _type(annotation: Any) -> str:
    """Return an annotation in which the standard library's types have their module.

    Else Sphinx would take `collections.abc.Sequence` for `datasets.Sequence`.
    """
    if isinstance(annotation, str):
        return annotation
    return "".join(
        part if isinstance(part, str) else _qualified(part)
        for part in annotation.iterate(flat=True)
    )


def _qualified(name: Any) -> str:
    path: str = name.canonical_path
    return f"~{path}" if path.startswith("collections.abc.") else str(name)


def _directive(
    kind: str,
    module: str,
    name: str,
    signature: str,
    content: Iterable[str] = (),
    options: Iterable[str] = (),
) -> str:
    """Return a directive of Sphinx's Python domain."""
    head = [f"::::{{py:{kind}}} {name}{signature}", f":module: {module}"]
    head += [f":{option}:" for option in sorted(options)]
    body = "\n\n".join(content)
    return "\n".join([*head, "", body, "::::"] if body else [*head, "::::"])


def _toctree(documents: Iterable[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", "", *documents, "```"])
