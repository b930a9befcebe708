"""LaTeX of terms and theorems."""
from theory.plain import plain as tex
