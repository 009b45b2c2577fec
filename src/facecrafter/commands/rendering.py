"""Texts from the templates beside this file, and pictures that fit into them."""

import base64
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def render(template: str, **values: Any) -> str:
    """The template filled in; in HTML every value is escaped. A missing value is an error."""
    environment = Environment(
        loader=PackageLoader("facecrafter.commands"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)


def data_uri(picture: bytes, kind: str = "png") -> str:
    """A picture that stands within a page, so that the page needs no other file."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
