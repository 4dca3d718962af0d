"""NumPy's names that `fxla.numpy` does not have, each with the reason and what to write instead."""

from __future__ import annotations

__all__ = ["ABSENT"]

_DATES = "dates are not numbers to transform: compute with `numpy` outside, and pass floats"
_MATRIX = "matrices are arrays of two axes here: write `np.asarray` and `@`"
_RECORDS = "arrays of records are not traced: keep the fields in a dict or a tuple of arrays"
_ITERATION = "it writes element by element: write `np.ndindex`, `np.vectorize` or whole arrays"
_ITSELF = "it is about the installed NumPy: call `numpy`'s"

ABSENT: dict[str, str] = {
    "asmatrix": _MATRIX,
    "bmat": "write `np.block`",
    "busday_count": _DATES,
    "busday_offset": _DATES,
    "busdaycalendar": _DATES,
    "complex256": "it is not on every platform: write `np.clongdouble`, which is not compiled",
    "datetime64": _DATES,
    "datetime_as_string": _DATES,
    "datetime_data": _DATES,
    "float128": "it is not on every platform: write `np.longdouble`, which is not compiled",
    "is_busday": _DATES,
    "isnat": _DATES,
    "matrix": _MATRIX,
    "nditer": _ITERATION,
    "nested_iters": _ITERATION,
    "poly1d": "write `np.polyval`, `np.polymul`, `np.polyder` of arrays of coefficients",
    "recarray": _RECORDS,
    "record": _RECORDS,
    "row_stack": "NumPy deprecated it: write `np.vstack`",
    "show_config": _ITSELF,
    "show_runtime": _ITSELF,
    "test": _ITSELF,
    "timedelta64": _DATES,
}
"""Name -> reason. A test holds that every other public name of NumPy is here."""
