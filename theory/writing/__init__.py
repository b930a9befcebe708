"""How theorems become LaTeX: terms, general forms of lines, reasons, tables, layout."""
