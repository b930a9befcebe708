"""Plain words of the toolkit as LaTeX: formulas in them become mathematics, the rest is escaped.

Meanings, titles and remarks are written once, for a terminal: ``spectral norm of W over
sqrt(m_{l-1})``, ``supremum of |sigma'|``, ``1 <= R <= sqrt(least width)``.  A word that can only be
mathematics starts a formula, which its neighbours join when they can be part of one.
"""

from __future__ import annotations

import re

from theory.writing.names import GREEK, INPUTS, escaped

_GREEK = "|".join(sorted(GREEK, key=len, reverse=True))
_SURE = re.compile(
    rf"[_^|=]|<=|>=|sqrt|\bgrad\b|(?<![a-z])(?:{_GREEK})(?![a-z])|\b[kl]'|\bl[-+]1|\+-\d|\b[KNO]\("
)
_LETTER = re.compile(r"\(?[WfRxlkOvzpKtL]\)?")
_PART = re.compile(r"[-+/*=(]*(?:\d+|[A-Za-z])?[-+/*=)']*")
_SHAPE = re.compile(r"\(([mp]\w*(?:_\{[^{}]*\})?),(?: (m_\{?[\w\-]+\}?))?\)")
_CALL = re.compile(r"\b(sqrt|[A-Z])\(([^()]*)\)")
_READABLE = re.compile(r"[A-Za-z0-9_^{}()|/+*=<>.,;:'\- \N{NO-BREAK SPACE}]+")
_DANGLING = re.compile(r"[_^](?![A-Za-z0-9{])|(?:[_^](?:\w|\{[^{}]*\})){3}|'\^|\{\}")
_KEPT_SPACE = "\N{NO-BREAK SPACE}"
_ENDS = ",;:."


def formula(text: str) -> str:
    """A formula in plain notation as LaTeX, without the dollar signs."""
    text = text.replace("<=", r"\le ").replace(">=", r"\ge ").replace("+-", r"\pm ")
    text = text.replace(f"sqrt{_KEPT_SPACE}", "sqrt ")
    text = re.sub(
        r"sqrt\(([^()]*)\)|sqrt ([\w{}_\-]+)",
        lambda m: rf"\sqrt{{{m.group(1) or m.group(2)}}}",
        text,
    )
    text = re.sub(rf"([a-z]+){_KEPT_SPACE}([a-z]+)", r"\\text{\1 \2}", text)
    text = re.sub(r"\bdiag\b", r"\\operatorname{diag}", text)
    text = re.sub(r"(?<!\\)\bsup\b", r"\\sup", text)
    text = text.replace(_KEPT_SPACE, r"\,").replace("grad ", r"\nabla ")
    text = re.sub(rf"(?<![\\A-Za-z])({_GREEK})(?![a-z])", r"\\\1", text)
    text = re.sub(r"([_^])([A-Za-z0-9]{2,})", r"\1{\2}", text)
    text = text.replace("N(0,", r"\mathcal N(0,").replace(" / ", "/")
    return INPUTS.get(text, text)


def prose(text: str) -> str:
    """Plain words with LaTeX for the formulas in them."""
    text = text.replace("\0", "")
    text = _SHAPE.sub(lambda m: f"\0{'|'.join(p for p in m.groups() if p)}\0", text)
    text = _CALL.sub(lambda m: f"{m[1]}({m[2].replace(' ', _KEPT_SPACE)})", text)
    pieces = text.split("\0")
    shown = [_prose(p) if i % 2 == 0 else _shape(p) for i, p in enumerate(pieces)]
    return "".join(shown).replace("Hoelder", r"H{\"o}lder").replace("Polya", r"P{\'o}lya")


def _shape(text: str) -> str:
    return r"$\mathbb{R}^{" + r"\times ".join(text.split("|")) + "}$"


def _prose(text: str) -> str:
    words = re.split(r"( )", text)
    shown, i = "", 0
    while i < len(words):
        end = _span(words, i)
        if end == i:
            shown += escaped(words[i]).replace("...", r"\dots{}") if words[i] != "-" else "--"
            i += 1
        else:
            shown += _formula_in_text("".join(words[i:end]))
            i = end
    return shown


def _span(words: list[str], start: int) -> int:
    """Where the formula that starts at a word ends; the start itself when none does."""
    end = last = start
    sure = False
    while end < len(words):
        word = words[end]
        if word == " " and end > start:
            end += 1
            continue
        bare = word.rstrip(_ENDS)
        if _SURE.search(bare):
            sure = True
        elif not (bare and _PART.fullmatch(bare)) or (bare == "a" and not sure):
            break
        end += 1
        last = end
        if bare != word and word.count("(") <= word.count(")"):
            break
    alone = last - start == 1 and _LETTER.fullmatch(words[start].rstrip(_ENDS))
    if not sure and not alone:
        return start + 1 if alone_first(words, start) else start
    return last


def alone_first(words: list[str], start: int) -> bool:
    """Whether a word is a letter that stands for a quantity by itself."""
    return bool(_LETTER.fullmatch(words[start].rstrip(_ENDS)))


def _formula_in_text(span: str) -> str:
    """A formula between dollar signs, punctuation and unmatched parentheses left outside."""
    before = after = ""
    while span and (span[-1] in _ENDS or (span[-1] == ")" and span.count(")") > span.count("("))):
        span, after = span[:-1], span[-1] + after
    while span.startswith("(") and span.count("(") > span.count(")"):
        span, before = span[1:], before + "("
    if not _is_formula(span):
        return escaped(before + span + after)
    return f"{before}${formula(span)}${escaped(after)}"


def _is_formula(span: str) -> bool:
    """Whether TeX can read it: known characters, paired braces, scripts that have something."""
    depth = 0
    for character in span:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0 and bool(_READABLE.fullmatch(span)) and not _DANGLING.search(span)


__all__ = ["formula", "prose"]
