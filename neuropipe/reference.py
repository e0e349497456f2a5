"""Files generated from the settings models, so that they never disagree with the code.

``config/config.yaml`` (the defaults, commented), ``config/schema.json`` (for editors),
``config/README.md`` and ``docs/configuration.md`` (every key).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from neuropipe.atomic import atomic_file
from neuropipe.ingest.settings import READ_SETTINGS
from neuropipe.manifest import (
    DandiSource,
    Dataset,
    NilearnSource,
    OpenNeuroSource,
    PathSource,
    SimulateSource,
    UrlFile,
    UrlSource,
)
from neuropipe.simulate.settings import SIMULATIONS
from neuropipe.study import Config

_HEAD = "# neuropipe's defaults, generated from its settings models: edit values, keep keys.\n"
_WIDTH = 96


def write_reference(folder: Path, *, check: bool = False) -> int:
    """Write the generated files below a checkout, or compare them.

    Parameters
    ----------
    folder : Path
        Root of the checkout.
    check : bool
        Whether to compare instead of writing.

    Returns
    -------
    int
        1 when `check` found a stale file, else 0.
    """
    stale = 0
    for name, text in reference_files().items():
        path = folder / name
        if check:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                print(f"{name} is stale: run `neuropipe reference`", file=sys.stderr)  # noqa: T201
                stale = 1
            continue
        with atomic_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return stale


def reference_files() -> dict[str, str]:
    """Text of every generated file by its path in the checkout."""
    return {
        "config/config.yaml": default_config(),
        "config/schema.json": config_schema(),
        "config/README.md": _config_readme(),
        "docs/configuration.md": _configuration_page(),
    }


def default_config() -> str:
    """The default configuration as commented YAML."""
    return _HEAD + "\n".join(_yaml_lines(Config, 0)) + "\n"


def config_schema() -> str:
    """JSON schema of the configuration."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(schema | Config.model_json_schema(), indent=1) + "\n"


def _yaml_lines(
    model: type[BaseModel], depth: int, defaults: BaseModel | None = None
) -> Iterator[str]:
    pad = "  " * depth
    for name, field in model.model_fields.items():
        if depth == 0:
            yield ""
        if field.description:
            yield from _comment(field.description, pad)
        nested = _nested(field)
        if nested is not None:
            yield f"{pad}{name}:" if nested.model_fields else f"{pad}{name}: {{}}"
            yield from _yaml_lines(nested, depth + 1, _default(name, field, defaults))
        else:
            yield f"{pad}{name}: {_flow(_default(name, field, defaults))}"


def _comment(text: str, pad: str) -> Iterator[str]:
    line = f"{pad}#"
    for word in text.split():
        if len(line) + len(word) + 1 > _WIDTH:
            yield line
            line = f"{pad}#"
        line += f" {word}"
    yield line


def _nested(field: FieldInfo) -> type[BaseModel] | None:
    """Model of a field that is a section of its own; a model without defaults is one value."""
    kind = field.annotation
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return None
    return None if any(f.is_required() for f in kind.model_fields.values()) else kind


def _default(name: str, field: FieldInfo, defaults: BaseModel | None) -> Any:
    """Default of a field; a section may have others than its model."""
    if defaults is not None:
        return getattr(defaults, name)
    return field.get_default(call_default_factory=True)


def _flow(value: Any) -> str:
    plain = to_jsonable_python(value)
    text = yaml.safe_dump(plain, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _table(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    if not prefix or prefix.count(".") == 0:
        yield "| key | type | default | meaning |"
        yield "|---|---|---|---|"
    yield from _rows(model, prefix)


def _rows(model: type[BaseModel], prefix: str, defaults: BaseModel | None = None) -> Iterator[str]:
    for name, field in model.model_fields.items():
        nested = _nested(field)
        if nested is not None:
            yield from _rows(nested, f"{prefix}{name}.", _default(name, field, defaults))
            continue
        value = None if field.is_required() else _flow(_default(name, field, defaults))
        default = "required" if value is None else f"`{value}`"
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{prefix}{name}` | {_type(field)} | {default} | {meaning} |"


def _type(field: FieldInfo) -> str:
    kind = field.annotation
    text = kind.__name__ if isinstance(kind, type) else str(kind)
    return text.replace("typing.", "").replace("neuropipe.", "").replace("|", "or")


def _config_readme() -> str:
    return "\n".join(
        [
            "# Configuration",
            "",
            "`config.yaml` holds the defaults of every part, `recordings/*.tsv` the locked file",
            "tables, and `data_manifest.yaml` in the study's folder the datasets. A dataset's",
            "`analyses:` in the manifest overrides what stands here for that dataset alone. This",
            "page and `config.yaml` are generated from the settings models by `make docs`;",
            "`schema.json` lets an editor complete and check keys.",
            "",
            *_table(Config),
            "",
        ]
    )


def _configuration_page() -> str:
    lines = [
        "# Every key",
        "",
        "Generated from the settings models by `neuropipe reference`. Unknown keys are refused,",
        "and an error names the path of the key.",
        "",
        "## `config/config.yaml`",
        "",
        *_table(Config),
        "",
        "## `data_manifest.yaml`: `datasets.<name>`",
        "",
        *_table(Dataset),
    ]
    sources = (PathSource, SimulateSource, UrlSource, UrlFile, OpenNeuroSource, DandiSource)
    for source in (*sources, NilearnSource):
        where = "source.url[]" if source is UrlFile else "source"
        lines += ["", f"### `{where}`: {source.__doc__}", "", *_table(source)]
    for modality, read in READ_SETTINGS.items():
        lines += ["", f"## `read` of {modality}: {read.__doc__}", "", *_table(read)]
    for kind, simulation in SIMULATIONS.items():
        title = (simulation.__doc__ or "").splitlines()[0]
        lines += ["", f"## `source: {{simulate: {kind}, settings: ...}}`: {title}", ""]
        lines += list(_table(simulation))
    return "\n".join([*lines, ""])
