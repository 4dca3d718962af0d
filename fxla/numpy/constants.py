"""Constants, scalar types, and questions about dtypes and shapes, whose answers are never traced.

Also what has to do with files and text: those functions are NumPy's own and take concrete arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from numpy import (
    False_,
    ScalarType,
    True_,
    __array_api_version__,
    __array_namespace_info__,
    array2string,
    array_repr,
    array_str,
    base_repr,
    binary_repr,
    broadcast,
    broadcast_shapes,
    byte,
    bytes_,
    can_cast,
    cdouble,
    character,
    clongdouble,
    complex64,
    complex128,
    complexfloating,
    copyto,
    csingle,
    double,
    dtype,
    e,
    errstate,
    euler_gamma,
    exceptions,
    flatiter,
    flexible,
    float16,
    float32,
    float64,
    floating,
    format_float_positional,
    format_float_scientific,
    generic,
    get_include,
    get_printoptions,
    getbufsize,
    geterr,
    geterrcall,
    half,
    index_exp,
    inexact,
    inf,
    info,
    int8,
    int16,
    int32,
    int64,
    int_,
    intc,
    integer,
    intp,
    isdtype,
    issubdtype,
    iterable,
    little_endian,
    long,
    longdouble,
    longlong,
    may_share_memory,
    memmap,
    min_scalar_type,
    mintypecode,
    nan,
    ndarray,
    ndindex,
    newaxis,
    number,
    object_,
    pi,
    place,
    printoptions,
    promote_types,
    putmask,
    s_,
    save,
    savetxt,
    savez,
    savez_compressed,
    sctypeDict,
    set_printoptions,
    setbufsize,
    seterr,
    seterrcall,
    shares_memory,
    short,
    signedinteger,
    single,
    str_,
    typecodes,
    typename,
    ubyte,
    uint,
    uint8,
    uint16,
    uint32,
    uint64,
    uintc,
    uintp,
    ulong,
    ulonglong,
    unsignedinteger,
    ushort,
    void,
)
from numpy import bool as bool
from numpy import bool_ as bool_

from fxla.core.dtypes import canonical_dtype, finfo_of, is_complex
from fxla.core.trace import Tracer, typeof
from fxla.numpy.dispatch import public, result
from fxla.numpy.operands import as_value, promoted_dtype

__all__ = [
    "False_",
    "ScalarType",
    "True_",
    "__array_api_version__",
    "__array_namespace_info__",
    "array2string",
    "array_repr",
    "array_str",
    "bartlett",
    "base_repr",
    "bfloat16",
    "binary_repr",
    "blackman",
    "bool",
    "bool_",
    "broadcast",
    "broadcast_shapes",
    "byte",
    "bytes_",
    "can_cast",
    "cdouble",
    "character",
    "clongdouble",
    "common_type",
    "complex64",
    "complex128",
    "complexfloating",
    "copyto",
    "csingle",
    "double",
    "dtype",
    "e",
    "errstate",
    "euler_gamma",
    "exceptions",
    "finfo",
    "flatiter",
    "flexible",
    "float16",
    "float32",
    "float64",
    "floating",
    "format_float_positional",
    "format_float_scientific",
    "from_dlpack",
    "frombuffer",
    "fromfile",
    "fromiter",
    "fromregex",
    "fromstring",
    "generic",
    "genfromtxt",
    "get_include",
    "get_printoptions",
    "getbufsize",
    "geterr",
    "geterrcall",
    "half",
    "hamming",
    "hanning",
    "iinfo",
    "index_exp",
    "inexact",
    "inf",
    "info",
    "int8",
    "int16",
    "int32",
    "int64",
    "int_",
    "intc",
    "integer",
    "intp",
    "iscomplexobj",
    "isdtype",
    "isrealobj",
    "isscalar",
    "issubdtype",
    "iterable",
    "kaiser",
    "little_endian",
    "load",
    "loadtxt",
    "long",
    "longdouble",
    "longlong",
    "may_share_memory",
    "memmap",
    "min_scalar_type",
    "mintypecode",
    "nan",
    "ndarray",
    "ndim",
    "ndindex",
    "newaxis",
    "number",
    "object_",
    "pi",
    "place",
    "printoptions",
    "promote_types",
    "putmask",
    "result_type",
    "s_",
    "save",
    "savetxt",
    "savez",
    "savez_compressed",
    "sctypeDict",
    "set_printoptions",
    "setbufsize",
    "seterr",
    "seterrcall",
    "shape",
    "shares_memory",
    "short",
    "signedinteger",
    "single",
    "size",
    "str_",
    "typecodes",
    "typename",
    "ubyte",
    "uint",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "uintc",
    "uintp",
    "ulong",
    "ulonglong",
    "unsignedinteger",
    "ushort",
    "void",
]

bfloat16 = ml_dtypes.bfloat16


# --- questions ------------------------------------------------------------------------------


@public(np.shape)
def shape(a: Any) -> Any:
    """Sizes of the axes, as Python integers. See `numpy.shape`.

    Example:
        >>> import fxla.numpy as np
        >>> np.shape([[1, 2, 3]])
        (1, 3)
    """
    return typeof(as_value(a, "np.shape")).shape


@public(np.ndim)
def ndim(a: Any) -> Any:
    """Number of axes. See `numpy.ndim`.

    Example:
        >>> import fxla.numpy as np
        >>> np.ndim([[1, 2, 3]])
        2
    """
    return typeof(as_value(a, "np.ndim")).ndim


@public(np.size)
def size(a: Any, axis: Any = None) -> Any:
    """Number of elements, or size of an axis. See `numpy.size`.

    Example:
        >>> import fxla.numpy as np
        >>> np.size([[1, 2, 3]]), np.size([[1, 2, 3]], 0)
        (3, 1)
    """
    aval = typeof(as_value(a, "np.size"))
    if axis is None:
        return aval.size
    axes = axis if isinstance(axis, tuple) else (axis,)
    return int(np.prod([aval.shape[k] for k in axes]))


@public(np.iscomplexobj)
def iscomplexobj(x: Any) -> Any:
    """Whether the dtype is complex. See `numpy.iscomplexobj`.

    Example:
        >>> import fxla.numpy as np
        >>> np.iscomplexobj([1j])
        True
    """
    return is_complex(typeof(as_value(x, "np.iscomplexobj")).dtype)


@public(np.isrealobj)
def isrealobj(x: Any) -> Any:
    """Whether the dtype is not complex. See `numpy.isrealobj`.

    Example:
        >>> import fxla.numpy as np
        >>> np.isrealobj([1j])
        False
    """
    return not is_complex(typeof(as_value(x, "np.isrealobj")).dtype)


@public(np.isscalar)
def isscalar(element: Any) -> Any:
    """Whether a Python or NumPy scalar was given; an array of no axes is none.

    See `numpy.isscalar`.

    Example:
        >>> import fxla.numpy as np
        >>> np.isscalar(3.0), np.isscalar(np.array(3.0))
        (True, False)
    """
    return element.weak_type if isinstance(element, Tracer) else np.isscalar(element)


@public(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that operands are promoted to. See `numpy.result_type`.

    Example:
        >>> import fxla.numpy as np
        >>> np.result_type(np.float32, 1.0)
        dtype('float32')
    """
    given = [
        np.zeros((), canonical_dtype(x))[()] if isinstance(x, (type, np.dtype, str)) else x
        for x in arrays_and_dtypes
    ]
    return promoted_dtype("np.result_type", *[as_value(x, "np.result_type") for x in given])


@public(np.common_type)
def common_type(*arrays: Any) -> Any:
    """The inexact scalar type that operands have in common. See `numpy.common_type`.

    Example:
        >>> import fxla.numpy as np
        >>> np.common_type(np.ones(2, np.float32), np.ones(2, int))
        <class 'numpy.float64'>
    """
    avals = [typeof(as_value(x, "np.common_type")) for x in arrays]
    return np.common_type(*[np.zeros((), a.dtype) for a in avals])


def finfo(dtype: Any) -> Any:
    """Limits of a floating dtype, bfloat16 included, or of an array's. See `numpy.finfo`.

    Example:
        >>> import fxla.numpy as np
        >>> float(np.finfo(np.float32).eps)
        1.1920928955078125e-07
    """
    return finfo_of(np.dtype(_dtype_or_that_of_an_array(dtype)))


def iinfo(dtype: Any) -> Any:
    """Limits of an integer dtype, or of an array's. See `numpy.iinfo`.

    Example:
        >>> import fxla.numpy as np
        >>> np.iinfo(np.int8).max
        127
    """
    return np.iinfo(_dtype_or_that_of_an_array(dtype))


def _dtype_or_that_of_an_array(x: Any) -> Any:
    """As the array API standard has it; NumPy takes arrays in `finfo` only, and not all."""
    return x.dtype if isinstance(x, Tracer | np.ndarray | np.generic) else x


# --- arrays from files, buffers and formulas ------------------------------------------------


def _concrete(numpy_function: Callable[..., Any], summary: str, example: str) -> Callable[..., Any]:
    """NumPy's function, whose result becomes an `fxla.Array`."""
    name = numpy_function.__name__

    @functools.wraps(numpy_function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return result(numpy_function(*args, **kwargs))

    expression, _, printed = example.partition(" -> ")
    call.__doc__ = (
        f"{summary}. See `numpy.{name}`.\n\nThe result is concrete, while tracing too.\n\n"
        f"Example:\n    >>> import fxla.numpy as np\n    >>> np.{name}({expression})\n"
        f"    {printed}\n"
    )
    return call


frombuffer = _concrete(
    np.frombuffer,
    "The memory of a buffer as a vector",
    "b'\\x01\\x02', dtype=np.uint8 -> Array([1, 2], dtype=uint8)",
)
fromiter = _concrete(
    np.fromiter, "A vector of what an iterable gives", "range(3), dtype=int -> Array([0, 1, 2])"
)
fromstring = _concrete(
    np.fromstring, "A vector of the numbers in a text", "'1 2', sep=' ' -> Array([1., 2.])"
)
from_dlpack = _concrete(
    np.from_dlpack,
    "Another library's array, without a copy, by DLPack",
    "np.arange(2) -> Array([0, 1])",
)
fromfile = _concrete(
    np.fromfile,
    "A vector of the bytes of a file",
    "'/dev/null', dtype=np.uint8 -> Array([], dtype=uint8)",
)
loadtxt = _concrete(np.loadtxt, "An array from a text", "['1 2'] -> Array([1., 2.])")
genfromtxt = _concrete(
    np.genfromtxt,
    "An array from a text with gaps",
    "['1,,2'], delimiter=',' -> Array([ 1., nan,  2.])",
)
fromregex = _concrete(
    np.fromregex,
    "An array of records, from the groups that a pattern finds in a text",
    "io.StringIO('1 2'), r'(\\d+)', [('n', int)] -> array([(1,), (2,)], dtype=[('n', '<i8')])",
)
bartlett = _concrete(np.bartlett, "Bartlett's window", "3 -> Array([0., 1., 0.])")
blackman = _concrete(np.blackman, "Blackman's window", "1 -> Array([1.])")
hamming = _concrete(np.hamming, "Hamming's window", "3 -> Array([0.08, 1.  , 0.08])")
hanning = _concrete(np.hanning, "Hann's window", "3 -> Array([0., 1., 0.])")
kaiser = _concrete(np.kaiser, "Kaiser's window", "1, 14 -> Array([1.])")


def load(file: Any, **kwargs: Any) -> Any:
    """An array, or a mapping of arrays, that `save` or `savez` wrote. See `numpy.load`.

    Example:
        >>> import io
        >>> import fxla.numpy as np
        >>> file = io.BytesIO()
        >>> np.save(file, np.arange(2))
        >>> _ = file.seek(0)
        >>> np.load(file)
        Array([0, 1])
    """
    return result(np.load(file, **kwargs))
