"""Several theorems as one document: a contents page, a section each, one list of works."""

from __future__ import annotations

import re
from collections.abc import Mapping

from theory.theorem import Theorem
from theory.writing import references
from theory.writing.pages import PREAMBLE, Page, cited_keys
from theory.writing.prose import prose


def theorems_to_latex(theorems: Mapping[str, Theorem], title: str) -> str:
    """A document with every theorem and its proof.

    Args:
        theorems: by the name that its section has; labels begin with it.
        title: of the document.

    Returns:
        LaTeX that compiles by itself.
    """
    sections = [_section(name, theorem) for name, theorem in theorems.items()]
    body = "\n".join(sections)
    return "\n".join(
        [
            PREAMBLE + rf"\hypersetup{{pdftitle={{{title}}}}}",
            r"\renewcommand{\wpheading}[1]{\subsection*{#1}}",
            r"\begin{document}",
            rf"\begin{{center}}{{\Large\bfseries {prose(title)}\par}}\end{{center}}",
            r"\tableofcontents",
            body,
            references.bibliography(cited_keys(body)),
            r"\end{document}",
            "",
        ]
    )


def _section(name: str, theorem: Theorem) -> str:
    words = prose(f"{name}: {theorem.title}")
    page = Page(theorem, re.sub(r"[^A-Za-z0-9+]+", "-", name))
    return rf"\clearpage\section{{{words}}}" + "\n" + page.fragment(comment=False)


__all__ = ["theorems_to_latex"]
