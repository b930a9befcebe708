r"""The works that lemmas and theorems cite, once: BibTeX, ``thebibliography``, and ``\cite``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A cited work.

    Attributes:
        key: its BibTeX key.
        kind: the BibTeX entry type.
        fields: the entry's fields, in order, in LaTeX.
        plain: how texts of the toolkit begin when they cite it; what follows is the place in it.
    """

    key: str
    kind: str
    fields: tuple[tuple[str, str], ...]
    plain: tuple[str, ...] = ()

    def bibtex(self) -> str:
        """The BibTeX entry."""
        body = "".join(f"  {name:<9} = {{{value}}},\n" for name, value in self.fields)
        return f"@{self.kind}{{{self.key},\n{body}}}\n"

    def item(self) -> str:
        """The entry of a ``thebibliography`` environment."""
        f = dict(self.fields)
        authors = _authors(f["author"])
        title = rf"\emph{{{f['title']}}}" if self.kind == "book" else f["title"]
        parts = [f"{authors}. {title}"]
        if "booktitle" in f:
            editors = f"{_authors(f['editor'])}, editors, " if "editor" in f else ""
            pages = f", pages {f['pages']}" if "pages" in f else ""
            volume = f", volume {f['volume']}" if "volume" in f else ""
            parts.append(rf"In {editors}\emph{{{f['booktitle']}}}{volume}{pages}")
        if "journal" in f:
            parts.append(rf"\emph{{{f['journal']}}}, {f['volume']}({f['number']}):{f['pages']}")
        edition = f"{f['edition']} edition" if "edition" in f else ""
        place = ", ".join(p for p in (f.get("publisher"), f.get("address"), edition) if p)
        parts.append(", ".join(p for p in (place, f["year"]) if p))
        if "eprint" in f:
            parts.append(rf"\texttt{{arXiv:{f['eprint']}}}")
        return rf"\bibitem{{{self.key}}} {'. '.join(parts)}."


def _authors(field: str) -> str:
    """``Horn, Roger A. and Johnson, Charles R.`` as ``R. A. Horn and C. R. Johnson``."""
    names = []
    for name in field.split(" and "):
        family, _, given = name.partition(", ")
        initials = " ".join(f"{word[0]}." if word[0] != "{" else word for word in given.split())
        names.append(f"{initials}~{family}".replace(". ", ".~"))
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"


_LZB = "Liu, Chaoyue and Zhu, Libin and Belkin, Mikhail"

REFERENCES: dict[str, Reference] = {
    r.key: r
    for r in (
        Reference(
            "LZB20",
            "inproceedings",
            (
                ("author", _LZB),
                (
                    "title",
                    "On the linearity of large non-linear models: when and why the tangent "
                    "kernel is constant",
                ),
                ("booktitle", "Advances in Neural Information Processing Systems"),
                ("volume", "33"),
                ("pages", "15954--15964"),
                ("year", "2020"),
                ("eprint", "2010.01092"),
            ),
            (
                "C. Liu, L. Zhu, M. Belkin, On the linearity of large non-linear models, "
                "NeurIPS 2020",
                "Liu, Zhu and Belkin 2020",
            ),
        ),
        Reference(
            "LZB22",
            "inproceedings",
            (
                ("author", _LZB),
                (
                    "title",
                    "Transition to Linearity of Wide Neural Networks is an Emerging "
                    "Property of Assembling Weak Models",
                ),
                ("booktitle", "International Conference on Learning Representations"),
                ("year", "2022"),
                ("eprint", "2203.05104"),
            ),
            (
                "C. Liu, L. Zhu, M. Belkin, Transition to linearity of wide neural networks is an "
                "emerging property of assembling weak models, ICLR 2022",
                "Liu, Zhu and Belkin 2022",
            ),
        ),
        Reference(
            "ZLB22",
            "inproceedings",
            (
                ("author", "Zhu, Libin and Liu, Chaoyue and Belkin, Mikhail"),
                (
                    "title",
                    "Transition to Linearity of General Neural Networks with Directed "
                    "Acyclic Graph Architecture",
                ),
                ("booktitle", "Advances in Neural Information Processing Systems"),
                ("volume", "35"),
                ("pages", "5363--5375"),
                ("year", "2022"),
                ("eprint", "2205.11786"),
            ),
            (
                "L. Zhu, C. Liu, M. Belkin, Transition to linearity of general neural networks "
                "with directed acyclic graph architecture, NeurIPS 2022",
                "Zhu, Liu and Belkin 2022",
            ),
        ),
        Reference(
            "HornJohnson2013",
            "book",
            (
                ("author", "Horn, Roger A. and Johnson, Charles R."),
                ("title", "Matrix Analysis"),
                ("publisher", "Cambridge University Press"),
                ("address", "Cambridge"),
                ("edition", "2nd"),
                ("year", "2013"),
            ),
            ("Horn and Johnson, Matrix Analysis, 2nd ed., 2013",),
        ),
        Reference(
            "HornJohnson1991",
            "book",
            (
                ("author", "Horn, Roger A. and Johnson, Charles R."),
                ("title", "Topics in Matrix Analysis"),
                ("publisher", "Cambridge University Press"),
                ("address", "Cambridge"),
                ("year", "1991"),
            ),
            ("Horn and Johnson, Topics in Matrix Analysis, 1991",),
        ),
        Reference(
            "Rudin1976",
            "book",
            (
                ("author", "Rudin, Walter"),
                ("title", "Principles of Mathematical Analysis"),
                ("publisher", "McGraw-Hill"),
                ("address", "New York"),
                ("edition", "3rd"),
                ("year", "1976"),
            ),
            ("Rudin, Principles of Mathematical Analysis, 3rd ed., 1976",),
        ),
        Reference(
            "Nesterov2004",
            "book",
            (
                ("author", "Nesterov, Yurii"),
                ("title", "Introductory Lectures on Convex Optimization: A Basic Course"),
                ("publisher", "Kluwer"),
                ("address", "Boston"),
                ("year", "2004"),
            ),
            ("Nesterov, Introductory Lectures on Convex Optimization, 2004",),
        ),
        Reference(
            "CoddingtonLevinson1955",
            "book",
            (
                ("author", "Coddington, Earl A. and Levinson, Norman"),
                ("title", "Theory of Ordinary Differential Equations"),
                ("publisher", "McGraw-Hill"),
                ("address", "New York"),
                ("year", "1955"),
            ),
            ("Coddington and Levinson, Theory of Ordinary Differential Equations, 1955",),
        ),
        Reference(
            "MagnusNeudecker2019",
            "book",
            (
                ("author", "Magnus, Jan R. and Neudecker, Heinz"),
                (
                    "title",
                    "Matrix Differential Calculus with Applications in Statistics and Econometrics",
                ),
                ("publisher", "Wiley"),
                ("address", "Hoboken, NJ"),
                ("edition", "3rd"),
                ("year", "2019"),
            ),
            ("Magnus and Neudecker, Matrix Differential Calculus, 3rd ed., 2019",),
        ),
        Reference(
            "HardyLittlewoodPolya1934",
            "book",
            (
                ("author", r"Hardy, G. H. and Littlewood, J. E. and P{\'o}lya, G."),
                ("title", "Inequalities"),
                ("publisher", "Cambridge University Press"),
                ("address", "Cambridge"),
                ("year", "1934"),
            ),
            ("Hardy, Littlewood and Polya, Inequalities, 1934",),
        ),
        Reference(
            "DavidsonSzarek2001",
            "incollection",
            (
                ("author", "Davidson, Kenneth R. and Szarek, Stanis{\\l}aw J."),
                ("title", "Local operator theory, random matrices and {B}anach spaces"),
                ("booktitle", "Handbook of the Geometry of {B}anach Spaces"),
                ("editor", "Johnson, William B. and Lindenstrauss, Joram"),
                ("volume", "1"),
                ("pages", "317--366"),
                ("publisher", "North-Holland"),
                ("address", "Amsterdam"),
                ("year", "2001"),
            ),
            (
                "Davidson and Szarek, Local operator theory, random matrices and Banach spaces, "
                "2001",
                "Davidson-Szarek",
            ),
        ),
        Reference(
            "BoucheronLugosiMassart2013",
            "book",
            (
                ("author", r"Boucheron, St{\'e}phane and Lugosi, G{\'a}bor and Massart, Pascal"),
                ("title", "Concentration Inequalities: A Nonasymptotic Theory of Independence"),
                ("publisher", "Oxford University Press"),
                ("address", "Oxford"),
                ("year", "2013"),
            ),
            ("Boucheron, Lugosi and Massart, Concentration Inequalities, 2013",),
        ),
        Reference(
            "Tropp2015",
            "article",
            (
                ("author", "Tropp, Joel A."),
                ("title", "An Introduction to Matrix Concentration Inequalities"),
                ("journal", "Foundations and Trends in Machine Learning"),
                ("volume", "8"),
                ("number", "1-2"),
                ("pages", "1--230"),
                ("year", "2015"),
            ),
            ("Tropp, An Introduction to Matrix Concentration Inequalities, 2015",),
        ),
        Reference(
            "Vershynin2018",
            "book",
            (
                ("author", "Vershynin, Roman"),
                (
                    "title",
                    "High-Dimensional Probability: An Introduction with Applications in Data "
                    "Science",
                ),
                ("publisher", "Cambridge University Press"),
                ("address", "Cambridge"),
                ("year", "2018"),
            ),
            ("Vershynin, High-Dimensional Probability, 2018",),
        ),
    )
}


class UnknownReferenceError(KeyError):
    """A key that no reference here has; the message names it."""


def reference(key: str) -> Reference:
    """The reference with that key.

    Raises:
        UnknownReferenceError: when there is none.
    """
    if key not in REFERENCES:
        msg = f"no reference has the key {key!r}; known: {', '.join(REFERENCES)}"
        raise UnknownReferenceError(msg)
    return REFERENCES[key]


def bibtex(keys: Iterable[str] = ()) -> str:
    """BibTeX entries, of all references or of those with the given keys."""
    wanted = list(dict.fromkeys(keys)) or list(REFERENCES)
    return "\n".join(reference(k).bibtex() for k in wanted)


def bibliography(keys: Iterable[str]) -> str:
    """A ``thebibliography`` environment with the given works, by author and year."""
    wanted = sorted(
        {*keys},
        key=lambda k: (
            dict(reference(k).fields)["author"].lower(),
            dict(reference(k).fields)["year"],
        ),
    )
    items = "\n".join(reference(k).item() for k in wanted)
    widest = "9" * len(str(len(wanted)))
    return f"\\begin{{thebibliography}}{{{widest}}}\n{items}\n\\end{{thebibliography}}"


def place_in(source: str, key: str) -> str | None:
    """What a source says after naming its work, such as ``Theorem 5.6.2``; None if none."""
    for plain in reference(key).plain:
        if source.startswith(plain):
            return source[len(plain) :].lstrip(", ")
    return None


def cite(source: str, key: str) -> str:
    r"""A ``\cite`` with the place in the work as its note.

    A source that does not name the work, such as ``definition of the network``, comes before it.
    """
    place = place_in(source, key)
    if place is None:
        return source if source == "definition" else rf"{source}~\cite{{{key}}}"
    if not place:
        return rf"\cite{{{key}}}"
    for word in (
        "Theorem",
        "Section",
        "Chapter",
        "Lemma",
        "Definition",
        "Exercise",
        "Problem",
        "Proposition",
        "equation",
    ):
        place = place.replace(f"{word} ", f"{word}~")
    return rf"\cite[{place}]{{{key}}}"


__all__ = [
    "REFERENCES",
    "Reference",
    "UnknownReferenceError",
    "bibliography",
    "bibtex",
    "cite",
    "place_in",
    "reference",
]
