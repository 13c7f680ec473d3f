"""What is never personal data: variants, accessions, terms, addresses of pages.

`STRICT` is left alone from the start; `LOOSE` (capitals with figures, such as
gene symbols) only once identity numbers, which look the same, have been found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.personal.spans import GAP, NAMED, TOKENS, Blanked

_TOKENS = "|".join(re.escape(token) for token in TOKENS.values())
_TERMS = (
    "HP|HPO|MONDO|ORPHA|ORPHAcode|ORDO|Orphanet|OMIM|MIM|DOID|NCIT|GO|SO|EFO|UBERON|CL|CHEBI|MESH"
    "|UMLS|SNOMED|SCTID|LOINC|ICD-?O?-?\\d*|ICF|ATC|GENO|PATO|OBI|DUO|MP|GENEPIO|HGNC|PMID|PMCID"
    "|ClinVar|dbSNP|COSMIC|RRID|DOI|ISBN|ISSN|ISO"
)
"""What numbers of terms, papers and norms begin with."""

_STRICT = re.compile(
    rf"""
    {_TOKENS}
    | https?://\S+ | \bwww\.\S+ | \b10\.\d{{4,9}}/\S+                       # pages, DOIs
    | (?<!\w) \(? [cgmnpr]\. [(\[]? (?=[\w*\[(?=-]*[\d=?]) [\w*?=+\-()\[\]]+     # HGVS, after its
      (?: [>_;] [\w*?=+\-()\[\]]+ )*                                        # reference, if any
    | \b chr(?:[1-9]\d?|[XYM]|MT) \b (?: : [\d,]+ (?: [-_] [\d,]+ )? )?        # places
    | (?<!\w) (?:[1-9]\d?|[XY]) [:-] \d{{4,9}} [:-] [ACGT\d]+ (?: [:-] [ACGT]+ )? (?!\w)
    | \b rs\d{{3,}} \b
    | \b (?:{_TERMS}) [ ]? (?:CT|ID)? \W{{0,2}} [A-Z]{{0,2}} \d+ (?: [.:] \w+ )*
    | \b (?:EGA[A-Z]|PRJ[A-Z]{{2}}|SAM[A-Z]{{1,2}}|GSE|GSM|[ESD]R[APRSXZ]|ENS[A-Z]{{0,6}}
      |LRG_|[NX][CGMPRTW]_) \d{{3,}} (?: \.\d+ )?
    | (?<![\w.]) \d{{1,3}} (?: \. \d{{1,3}} ){{3}} (?![\w.])                   # IP addresses
    """,
    re.VERBOSE,
)
_LOOSE = re.compile(
    r"""
    (?<!\w) (?=[A-Z0-9-]{0,12}\d) (?=\d{0,6}[A-Z]) [A-Z0-9]+ (?: [-_.:/][A-Z0-9]+ )* (?!\w)
    """,
    re.VERBOSE,
)


def without_strict(text: Blanked) -> Blanked:
    """Put one character for all that is never personal data."""
    return text.without(_stretches(_STRICT, text.text))


def without_loose(text: Blanked) -> Blanked:
    """The same for gene symbols and other capitals with figures."""
    return text.without(_stretches(_LOOSE, text.text))


def _stretches(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int, str]]:
    for match in pattern.finditer(text):
        # What stands for a name keeps telling that there is one.
        named = match.group() == TOKENS["name"]
        yield match.start(), match.end(), NAMED if named else GAP
