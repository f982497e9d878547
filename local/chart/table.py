"""The table of values in docs/chart.md: the schema's names and texts, values.yaml's defaults."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path("helm/trilens")
PAGE: Final = Path("docs/chart.md")

_BEGIN: Final = "<!-- values: made by `python -m local.chart table` -->\n"
_END: Final = "<!-- end of values -->\n"
# Blocks that lie over others: what they share with those is told there.
_OVER: Final = {
    "gateway": "podDefaults",
    "modelDefaults": "podDefaults",
    "modelDefaults.canary": "modelDefaults",
    "models.KEY": "modelDefaults",
}
_WIDEST: Final = 40  # of a default, in characters

Node = dict[str, Any]


def write(page: Path = PAGE) -> None:
    """Puts the table of today's schema into the page."""
    text = page.read_text("utf-8")
    head, rest = text.split(_BEGIN)
    _, tail = rest.split(_END)
    page.write_text(head + _BEGIN + table() + _END + tail, "utf-8")


def current(page: Path = PAGE) -> bool:
    """Whether the page has the table of today's schema."""
    return f"{_BEGIN}{table()}{_END}" in page.read_text("utf-8")


def table(chart: Path = CHART) -> str:
    """A row for each value."""
    schema = json.loads((chart / "values.schema.json").read_text("utf-8"))
    defaults = yaml.safe_load((chart / "values.yaml").read_text("utf-8"))
    rows = ["", "| value | type | default | meaning |", "|---|---|---|---|"]
    for name, node in _values(schema, schema, ""):
        default = _default(defaults, name)
        under = _under(schema, name)
        if under and not default:
            continue
        text = f"over `{under}`" if under else node["description"]
        cells = (f"`{name}`", _type(node), default, text)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*rows, "", ""])


def _values(schema: Node, node: Node, path: str) -> Iterator[tuple[str, Node]]:
    """Every value below `node`, by its path."""
    for name, part in node.get("properties", {}).items():
        below = f"{path}.{name}".removeprefix(".")
        value = _resolved(schema, part)
        yield below, value
        yield from _values(schema, value, below)
        if below == "models":
            model = _resolved(schema, value["additionalProperties"])
            yield from _values(schema, model, "models.KEY")


def _under(schema: Node, path: str) -> str:
    """The value of the same meaning that this one lies over, if there is one."""
    for block, under in sorted(_OVER.items(), reverse=True):
        if path.startswith(f"{block}."):
            same = f"{under}.{path.removeprefix(f'{block}.')}"
            if _known(schema, same):
                return _under(schema, same) or same
    return ""


def _known(schema: Node, path: str) -> bool:
    node = schema
    for name in path.split("."):
        node = _resolved(schema, node).get("properties", {}).get(name)
        if node is None:
            return False
    return True


def _resolved(schema: Node, node: Node) -> Node:
    reference = node.get("$ref")
    if reference is None:
        return node
    found: Node = schema["definitions"][reference.removeprefix("#/definitions/")]
    return found


def _type(node: Node) -> str:
    if "enum" in node:
        return " ".join(json.dumps(one).strip('"') for one in node["enum"])
    kind = node["type"]
    return kind if isinstance(kind, str) else " ".join(kind)


def _default(defaults: Node, path: str) -> str:
    value: Any = defaults
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return ""
        value = value[name]
    text = json.dumps(value)
    return f"`{text}`" if len(text) <= _WIDEST else ""
