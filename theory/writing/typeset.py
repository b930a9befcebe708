"""How wide a formula is on the page, and where a long one may be broken."""

from __future__ import annotations

import re

LINE = 36.0  # quads: what fits beside an equation number in 5.5 inches at 10 points
_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|.", re.DOTALL)
_WIDE = {
    r"\le": 1.3,
    r"\ge": 1.3,
    "=": 1.3,
    "+": 1.2,
    "-": 1.2,
    r"\otimes": 1.2,
    r"\odot": 1.2,
    "<": 1.3,
    r"\in": 1.2,
    r"\qquad": 2.0,
    r"\quad": 1.0,
    r"\,": 0.17,
    r"\;": 0.28,
    "{": 0.0,
    "}": 0.0,
    "&": 1.0,
    r"\bar": 0.0,
    r"\tilde": 0.0,
    r"\operatorname": 0.0,
    r"\mathrm": 0.0,
    r"\text": 0.0,
    r"\bigl": 0.1,
    r"\bigr": 0.1,
    r"\Bigl": 0.25,
    r"\Bigr": 0.25,
    r"\left": 0.25,
    r"\right": 0.25,
    r"\min": 1.7,
    r"\max": 1.7,
    r"\partial": 0.6,
    r"\nabla": 0.83,
    r"\notag": 0.0,
    "(": 0.39,
    ")": 0.39,
    "'": 0.28,
    ",": 0.4,
    " ": 0.0,
    r"\top": 0.75,
    r"\lVert": 0.5,
    r"\rVert": 0.5,
    r"\lvert": 0.28,
    r"\rvert": 0.28,
    r"\langle": 0.39,
    r"\rangle": 0.39,
    r"\{": 0.5,
    r"\}": 0.5,
}
_LETTER, _CAPITAL = 0.52, 0.78


def _group(tokens: list[str], start: int) -> tuple[list[str], int]:
    """The tokens of the argument that starts there, and where it ends."""
    while start < len(tokens) and tokens[start] == " ":
        start += 1
    if start >= len(tokens) or tokens[start] != "{":
        return tokens[start : start + 1], start + 1
    depth, end = 0, start
    while end < len(tokens):
        depth += {"{": 1, "}": -1}.get(tokens[end], 0)
        end += 1
        if depth == 0:
            break
    return tokens[start + 1 : end - 1], end


def _array(tokens: list[str], start: int) -> tuple[float, int]:
    """The width of an array, that of its widest row, and where it ends."""
    name, start = _group(tokens, start)
    if name == list("array"):
        _, start = _group(tokens, start)
    rows: list[list[str]] = [[]]
    inner, end = 0, start
    while inner or tokens[end] != r"\end":
        inner += {r"\begin": 1, r"\end": -1}.get(tokens[end], 0)
        if tokens[end] == r"\\" and not inner:
            rows.append([])
        else:
            rows[-1].append(tokens[end])
        end += 1
    return max(map(_width, rows)), _group(tokens, end + 1)[1]


def width(latex: str) -> float:
    """The width of a formula in quads, to within a tenth or so."""
    return _width(_TOKEN.findall(latex))


def _width(tokens: list[str]) -> float:
    total, i = 0.0, 0
    while i < len(tokens):
        token = tokens[i]
        i += 1
        if token in (r"\frac", r"\tfrac"):
            top, i = _group(tokens, i)
            bottom, i = _group(tokens, i)
            total += max(_width(top), _width(bottom)) * (0.75 if token == r"\tfrac" else 1) + 0.2
        elif token == r"\sqrt":
            inside, i = _group(tokens, i)
            total += _width(inside) + 0.85
        elif token in ("_", "^"):
            script, i = _group(tokens, i)
            if i < len(tokens) and tokens[i] in ("_", "^") and tokens[i] != token:
                second, i = _group(tokens, i + 1)
                script = max(script, second, key=_width)
            total += 0.72 * _width(script)
        elif token == r"\begin":
            size, i = _array(tokens, i)
            total += size
        elif token == r"\sum":
            limits = []
            while i < len(tokens) and tokens[i] in ("_", "^"):
                limit, i = _group(tokens, i + 1)
                limits.append(0.72 * _width(limit))
            total += max([1.45, *limits]) + 0.2
        else:
            total += _WIDE.get(token, _CAPITAL if token.isupper() else _LETTER)
    return total


# -- breaking -------------------------------------------------------------------------------------


def _breaks(latex: str) -> list[tuple[int, int]]:
    """Where a line may be broken, before a sign or in a list: (depth of parentheses, position)."""
    found, braces, fences, fixed = [], 0, 0, 0
    lists = max(latex.count(r"\}") - latex.count(r"\{"), 0)  # a list begun on an earlier line
    for match in _TOKEN.finditer(latex):
        token = match.group()
        if token == r"\left":
            fixed += 1
        elif token == r"\right":
            fixed -= 1
        elif token in "{}":
            braces += 1 if token == "{" else -1
        elif token == "," and lists and braces == fixed == 0 and latex[match.end()] == " ":
            found.append((fences, match.end() + 1))
        elif token in ("(", r"\{") or (token in (r"\bigl", r"\Bigl", r"\langle")):
            fences += token in ("(", r"\{", r"\langle")
            lists += token == r"\{"
        elif token in (")", r"\}", r"\rangle"):
            fences -= 1
            lists -= token == r"\}"
        elif token in ("+", "-") and braces == fixed == 0 and latex[match.start() - 1] == " ":
            found.append((fences, match.start()))
    return found


def _between_factors(latex: str) -> list[int]:
    """Where a product may be parted, outside braces: behind a thin space."""
    found, braces, fixed = [], 0, 0
    for match in _TOKEN.finditer(latex):
        token = match.group()
        fixed += {r"\left": 1, r"\right": -1}.get(token, 0)
        braces += {"{": 1, "}": -1}.get(token, 0)
        if token == r"\," and braces == fixed == 0:
            found.append(match.end())
    return found


def broken(latex: str, room: float, later: float) -> list[str]:
    """A formula in lines, broken before signs outside braces, and between the parts of a list.

    Where that is not enough, a product is parted between its factors, the second part marked by a
    dot.

    Args:
        latex: the formula.
        room: the width of the first line, in quads.
        later: the width of the lines after it.

    Returns:
        The lines; a part that cannot be broken may be wider.
    """
    lines = []
    while width(latex) > room:
        anywhere = [(depth, p) for depth, p in _breaks(latex) if p > 0]
        places = [(depth, p) for depth, p in anywhere if width(latex[:p]) <= room]
        factors = [] if places else [p for p in _between_factors(latex) if width(latex[:p]) <= room]
        if factors:
            lines.append(latex[: factors[-1]].removesuffix(r"\,"))
            latex, room = rf"\cdot {latex[factors[-1] :]}", later
            continue
        if not anywhere:
            break
        best = (
            max(p for depth, p in places if depth == min(places)[0]) if places else min(anywhere)[1]
        )
        lines.append(latex[:best].rstrip())
        latex, room = latex[best:], later
    return [*lines, latex]


__all__ = ["LINE", "broken", "width"]
