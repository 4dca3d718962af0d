"""The native part of `eager`, as LLVM text: operators of `fxla.Array` outside a trace.

    void use(words)                        the words of `eager_layout.STATE`
    PyObject *apply(self, arguments, n)    a ufunc, which comes first, of its operands
    PyObject *<name>(a, b), (a) or (a, b, modulus or operation)     an operator

NumPy asks an operand of a subclass how its results are to be wrapped, calls it with all it might
like to know, and makes an array twice, which takes longer than a small operation. Here an operand
is seen as an ndarray, and the new ndarray that comes back changes its class. Whatever is not an
array of numbers with axes, or a Python number beside one, is left to what the class had before.
"""

from __future__ import annotations

from fxla.compile.backend.native_text import expanded
from fxla.compile.calls.array_text import BECOME_OURS, IS_ARRAY
from fxla.compile.calls.eager_layout import BINARY, STATE, UNARY
from fxla.compile.calls.entry_layout import ARRAY

__all__ = ["eager_text"]

_MOST = 4
"""Operands of a ufunc; more are left to NumPy."""
_OBJECT, _HALF = 17, 23
"""Numbers of dtypes: lower ones than that of objects are of bools and numbers, and one higher."""


def eager_text() -> str:
    """The module."""
    names = STATE | {f"array_{name}": number for name, number in ARRAY.items()}
    names |= {"most": _MOST, "object": _OBJECT, "half": _HALF}
    parts = [_SHARED, _APPLY]
    parts += [_BINARY.replace("NAME", n) for n in BINARY[:-1]]
    parts += [_MATMUL]
    parts += [_UNARY.replace("NAME", n) for n in UNARY]
    parts += [_POWER, _COMPARE]
    return expanded("".join(parts), names)


_SHARED = (
    """
@state = internal global ptr null
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyArray_View(ptr, ptr, ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)

define void @use(ptr %words) {
  store ptr %words, ptr @state
  ret void
}

; How many axes an operand has: -1 for one that is NumPy's business, 0 also for a Python number.
define internal i32 @axes(ptr %s, ptr %x) {
  %type = field ptr %x, 8
  %array = field ptr %s, ${array}
  %ndarray = field ptr %s, ${ndarray}"""
    + IS_ARRAY
    + """
  br i1 %either, label %of_array, label %of_number
of_array:
  %descr = field ptr %x, ${array_descr}
  %number = field i32 %descr, 28
  %usual = icmp ult i32 %number, ${object}
  %half = icmp eq i32 %number, ${half}
  %numeric = or i1 %usual, %half
  %ndim = field i32 %x, ${array_ndim}
  %axes = select i1 %numeric, i32 %ndim, i32 -1
  ret i32 %axes
of_number:
  %float = field ptr %s, ${float}
  %int = field ptr %s, ${int}
  %is_float = icmp eq ptr %type, %float
  %is_int = icmp eq ptr %type, %int
  %is_number = or i1 %is_float, %is_int
  %none = select i1 %is_number, i32 0, i32 -1
  ret i32 %none
}

; An operand as NumPy likes it best; the caller owns it. Null if there is no memory.
define internal ptr @bare(ptr %s, ptr %x) {
  %type = field ptr %x, 8
  %array = field ptr %s, ${array}
  %ours = icmp eq ptr %type, %array
  br i1 %ours, label %view, label %itself
view:
  %ndarray = field ptr %s, ${ndarray}
  %seen = call ptr @PyArray_View(ptr %x, ptr null, ptr %ndarray)
  ret ptr %seen
itself:
  call void @Py_IncRef(ptr %x)
  ret ptr %x
}

; A result, which is of our class from now on if it is a new ndarray.
define internal ptr @returned(ptr %s, ptr %x) {
  %nothing = icmp eq ptr %x, null
  br i1 %nothing, label %done, label %look
look:
  %type = field ptr %x, 8
  %ndarray = field ptr %s, ${ndarray}
  %numpys = icmp eq ptr %type, %ndarray
  %count = field i32 %x, 0
  %ours_alone = icmp eq i32 %count, 1
  %new = and i1 %numpys, %ours_alone
  br i1 %new, label %turn, label %done
turn:
  %array = field ptr %s, ${array}"""
    + BECOME_OURS
    + """
  br label %done
done:
  ret ptr %x
}

; Whether two operands are for us, and the result has axes: one has at least `least`, both have one
; where two are needed.
define internal i1 @fit(ptr %s, ptr %a, ptr %b, i32 %least) {
  %axes_a = call i32 @axes(ptr %s, ptr %a)
  %axes_b = call i32 @axes(ptr %s, ptr %b)
  %a_most = icmp sgt i32 %axes_a, %axes_b
  %most = select i1 %a_most, i32 %axes_a, i32 %axes_b
  %fewest = select i1 %a_most, i32 %axes_b, i32 %axes_a
  %enough = icmp sge i32 %most, %least
  %needed = sub i32 %least, 1
  %known = icmp sge i32 %fewest, %needed
  %both = and i1 %enough, %known
  ret i1 %both
}

; A function of two arrays and what comes third, if anything does.
define internal ptr @of_two(ptr %s, ptr %f, ptr %a, ptr %b, ptr %third) {
  %x = call ptr @bare(ptr %s, ptr %a)
  %no_x = icmp eq ptr %x, null
  br i1 %no_x, label %nothing, label %next
next:
  %y = call ptr @bare(ptr %s, ptr %b)
  %no_y = icmp eq ptr %y, null
  br i1 %no_y, label %drop, label %run
run:
  %out = call ptr %f(ptr %x, ptr %y, ptr %third)
  call void @Py_DecRef(ptr %x)
  call void @Py_DecRef(ptr %y)
  %result = call ptr @returned(ptr %s, ptr %out)
  ret ptr %result
drop:
  call void @Py_DecRef(ptr %x)
  br label %nothing
nothing:
  ret ptr null
}
"""
)

_APPLY = """
define ptr @apply(ptr %self, ptr %arguments, i64 %n) {
entry:
  %s = load ptr, ptr @state
  %seen = alloca ptr, i64 ${most}, align 16
  %ufunc = load ptr, ptr %arguments
  %given = getelementptr i8, ptr %arguments, i64 8
  %count = sub i64 %n, 1
  %few = icmp ule i64 %count, ${most}
  br i1 %few, label %measure, label %usual
measure:
  %i = phi i64 [0, %entry], [%i_next, %known]
  %axes = phi i32 [0, %entry], [%axes_next, %known]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %one, label %measured
one:
  %at = getelementptr ptr, ptr %given, i64 %i
  %x = load ptr, ptr %at
  %its_axes = call i32 @axes(ptr %s, ptr %x)
  %unknown = icmp slt i32 %its_axes, 0
  br i1 %unknown, label %usual, label %known
known:
  %axes_next = or i32 %axes, %its_axes
  %i_next = add i64 %i, 1
  br label %measure
measured:
  %scalar = icmp eq i32 %axes, 0
  br i1 %scalar, label %usual, label %see
see:
  %k = phi i64 [0, %measured], [%k_next, %put]
  %unseen = icmp ult i64 %k, %count
  br i1 %unseen, label %view, label %run
view:
  %operand_at = getelementptr ptr, ptr %given, i64 %k
  %operand = load ptr, ptr %operand_at
  %bare = call ptr @bare(ptr %s, ptr %operand)
  %failed = icmp eq ptr %bare, null
  br i1 %failed, label %drop, label %put
put:
  %place = getelementptr ptr, ptr %seen, i64 %k
  store ptr %bare, ptr %place
  %k_next = add i64 %k, 1
  br label %see
run:
  %out = call ptr @PyObject_Vectorcall(ptr %ufunc, ptr %seen, i64 %count, ptr null)
  br label %drop
drop:
  %made = phi ptr [null, %view], [%out, %run]
  %owned = phi i64 [%k, %view], [%count, %run]
  br label %head
head:
  %j = phi i64 [0, %drop], [%j_next, %release]
  %left = icmp ult i64 %j, %owned
  br i1 %left, label %release, label %over
release:
  %view_at = getelementptr ptr, ptr %seen, i64 %j
  %view_there = load ptr, ptr %view_at
  call void @Py_DecRef(ptr %view_there)
  %j_next = add i64 %j, 1
  br label %head
over:
  %result = call ptr @returned(ptr %s, ptr %made)
  ret ptr %result
usual:
  %as_ever = call ptr @PyObject_Vectorcall(ptr %ufunc, ptr %given, i64 %count, ptr null)
  ret ptr %as_ever
}
"""

_BINARY = """
define ptr @NAME(ptr %a, ptr %b) {
  %s = load ptr, ptr @state
  %fits = call i1 @fit(ptr %s, ptr %a, ptr %b, i32 1)
  br i1 %fits, label %ours, label %usual
ours:
  %bare = field ptr %s, ${bare_NAME}
  %result = call ptr @of_two(ptr %s, ptr %bare, ptr %a, ptr %b, ptr null)
  ret ptr %result
usual:
  %before = field ptr %s, ${before_NAME}
  %as_ever = call ptr %before(ptr %a, ptr %b)
  ret ptr %as_ever
}
"""

# Two vectors have a product without axes. The class has a method for it, in Python: for bfloat16.
_MATMUL = """
define ptr @matrix_multiply(ptr %a, ptr %b) {
  %s = load ptr, ptr @state
  %fits = call i1 @fit(ptr %s, ptr %a, ptr %b, i32 2)
  br i1 %fits, label %ours, label %usual
ours:
  %bare = field ptr %s, ${bare_matrix_multiply}
  %result = call ptr @of_two(ptr %s, ptr %bare, ptr %a, ptr %b, ptr null)
  ret ptr %result
usual:
  %operands = alloca [2 x ptr], align 16
  set ptr %a, %operands, 0
  set ptr %b, %operands, 8
  %method = field ptr %s, ${before_matrix_multiply}
  %as_ever = call ptr @PyObject_Vectorcall(ptr %method, ptr %operands, i64 2, ptr null)
  ret ptr %as_ever
}
"""

_UNARY = """
define ptr @NAME(ptr %a) {
  %s = load ptr, ptr @state
  %axes = call i32 @axes(ptr %s, ptr %a)
  %fits = icmp sge i32 %axes, 1
  br i1 %fits, label %ours, label %usual
ours:
  %x = call ptr @bare(ptr %s, ptr %a)
  %no_x = icmp eq ptr %x, null
  br i1 %no_x, label %nothing, label %run
run:
  %bare = field ptr %s, ${bare_NAME}
  %out = call ptr %bare(ptr %x)
  call void @Py_DecRef(ptr %x)
  %result = call ptr @returned(ptr %s, ptr %out)
  ret ptr %result
nothing:
  ret ptr null
usual:
  %before = field ptr %s, ${before_NAME}
  %as_ever = call ptr %before(ptr %a)
  ret ptr %as_ever
}
"""

_POWER = """
define ptr @power(ptr %a, ptr %b, ptr %modulus) {
  %s = load ptr, ptr @state
  %none = field ptr %s, ${none}
  %plain = icmp eq ptr %modulus, %none
  %fits = call i1 @fit(ptr %s, ptr %a, ptr %b, i32 1)
  %good = and i1 %plain, %fits
  br i1 %good, label %ours, label %usual
ours:
  %bare = field ptr %s, ${bare_power}
  %result = call ptr @of_two(ptr %s, ptr %bare, ptr %a, ptr %b, ptr %modulus)
  ret ptr %result
usual:
  %before = field ptr %s, ${before_power}
  %as_ever = call ptr %before(ptr %a, ptr %b, ptr %modulus)
  ret ptr %as_ever
}
"""

_COMPARE = """
define ptr @richcompare(ptr %a, ptr %b, i32 %operation) {
  %s = load ptr, ptr @state
  %fits = call i1 @fit(ptr %s, ptr %a, ptr %b, i32 1)
  br i1 %fits, label %ours, label %usual
ours:
  %bare = field ptr %s, ${bare_richcompare}
  %wide = zext i32 %operation to i64
  %third = inttoptr i64 %wide to ptr
  %result = call ptr @of_two(ptr %s, ptr %bare, ptr %a, ptr %b, ptr %third)
  ret ptr %result
usual:
  %before = field ptr %s, ${before_richcompare}
  %as_ever = call ptr %before(ptr %a, ptr %b, i32 %operation)
  ret ptr %as_ever
}
"""
