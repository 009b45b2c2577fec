"""What counts as the same code."""

import pytest

from facecrafter.paper import provenance
from facecrafter.paper.provenance import code, without_comments

CODE = '''"""Module."""
import a  # why


class B:
    """Says
    more than one line."""

    c = "# no comment"  # ours

    def d(self):
        """Says."""
        return """kept"""
'''


def test_comments_docstrings_and_empty_lines_are_left_out() -> None:
    kept = 'import a\nclass B:\n    c = "# no comment"\n    def d(self):\n        return """kept"""'
    assert without_comments(CODE) == kept


def test_what_runs_is_told_apart() -> None:
    assert without_comments(CODE.replace("Says", "Tells")) == without_comments(CODE)
    assert without_comments(CODE.replace("kept", "changed")) != without_comments(CODE)


def test_parts_of_the_package() -> None:
    parts = [code(), code("attacks"), code("defences"), code("inversion"), code("attacks", "wire")]
    assert len(set(parts)) == len(parts)
    assert code("nothing") == code("nothing either")


def test_only_what_is_imported_counts() -> None:
    noise, crafter = (frozenset({f"facecrafter.defences.{name}"}) for name in ("noise", "crafter"))
    methods = ("defences", "inversion")
    assert code(*methods, used_by=noise) != code(*methods, used_by=crafter)
    assert code("inversion", used_by=noise) == code("nothing")  # noise searches nothing
    assert code("inversion", used_by=crafter) == code("inversion")  # by way of its opponents
    assert code("defences", used_by=frozenset()) == code("nothing")


def test_a_measure_that_came_later_makes_no_other_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = code.__wrapped__("metrics")
    monkeypatch.setattr(provenance, "LATER", ())
    assert code.__wrapped__("metrics") != with_it
