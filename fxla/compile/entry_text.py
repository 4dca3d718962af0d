"""The native part of `fxla.compile.entry`, as LLVM text: one walker for all calls of all programs.

    PyObject *call(self, args, kwargs)          the `tp_call` of a jitted function
    PyObject *run_flat(words, arguments, n)     a program on arrays that fit it: a list of results

Nothing here depends on a program. Trees, signatures and programs are tables of 64-bit words, laid
out below, that Python fills in; so a new tree, shape or dtype compiles nothing. Whatever the tables
do not describe goes to `slow_call`, which is Python, and where every error is made.

A *table* belongs to a jitted function and lists *trees*; a tree is the code of an argument tree and
a hash table of *entries*; an entry is a signature, the *block* of a program, and the code of the
result's tree. The code of a tree is a sequence of operations in prefix order:

    LEAF index                   an array or number, the index-th leaf
    SAME object                  this very object: None, or a static argument
    TUPLE n type ...             n children; a named tuple has its own type
    LIST n type ...
    DICT n type key child ...
    NODE n type flatten aux ...  a registered class: ``flatten(x)`` gives children and aux

In the code of a result the type is not looked at, ``NAMED n make`` makes a named tuple, and a
node is ``NODE n unflatten aux``.
"""

from __future__ import annotations

from string import Template

from fxla.compile.native_text import expanded

__all__ = ["ARRAY", "BLOCK", "CONTEXT", "CONVERT", "ENTRY", "GLOBALS", "HASH", "OP", "OUTPUT"]
__all__ += ["SCRATCH", "TABLE", "TREE", "entry_text"]

OP = {"LEAF": 0, "SAME": 1, "TUPLE": 2, "LIST": 3, "DICT": 4, "NODE": 5, "NAMED": 6}
CONVERT = {"DIRECT": 0, "FLOAT32": 1, "COMPLEX64": 2, "INT64": 3, "BOOL": 4}
"""How a number becomes an array's element; a direct one is read where it lies in its object."""
HASH = 0x9E3779B97F4A7C15 - (1 << 64)
"""Odd factor of the hash of a signature."""
SCRATCH = 48
"""Bytes of a place that stands for the array object of a number: its data pointer, its value."""

# byte offsets
GLOBALS = {"scopes": 0, "no_kwargs": 8, "array": 16, "ndarray": 24, "handler": 32, "raiser": 40}
TABLE = {"globals": 0, "leaves": 8, "objects": 16, "n": 24, "trees": 32}
TREE = {"recent": 0, "leaves": 8, "mask": 16, "slots": 24, "code": 32}
ENTRY = {"block": 0, "consts": 8, "n_consts": 16, "signature": 24, "code": 32}
BLOCK = {
    "driver": 0, "functions": 8, "integers": 16, "arena": 24, "busy": 32, "arena_bytes": 40,
    "release": 48, "constants": 56, "inputs": 64, "outputs": 72, "records": 80, "globals": 88,
}  # fmt: skip
OUTPUT = {"descr": 0, "ndim": 8, "dims": 16, "large": 24, "bytes": 32}
CONTEXT = {"code": 0, "leaves": 8}
ARRAY = {"data": 16, "ndim": 24, "dims": 32, "descr": 56, "flags": 64}
"""Where NumPy keeps what in an array object; `fxla.compile.entry_probe` makes sure of it."""


def entry_text(slot: int) -> str:
    """The module.

    Args:
        slot: offset, in the object of a jitted function, of the reference to its table.
    """
    names = {"SLOT": slot, "HASH": HASH, "SCRATCH": SCRATCH}
    for prefix, layout in {
        "op": OP, "to": CONVERT, "g": GLOBALS, "table": TABLE, "tree": TREE, "entry": ENTRY,
        "block": BLOCK, "out": OUTPUT, "c": CONTEXT, "array": ARRAY,
    }.items():  # fmt: skip
        names |= {f"{prefix}_{name}": number for name, number in layout.items()}
    parts = (_DECLARE, _WALK, _COMPARE, _FIND, _BUILD, _RUN, _CALL)
    return expanded(Template("".join(parts)).substitute(names))


_DECLARE = """
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyDict_GetItemWithError(ptr, ptr)
declare i64 @PyDict_Size(ptr)
declare ptr @PyDict_New()
declare i32 @PyDict_SetItem(ptr, ptr, ptr)
declare ptr @PyTuple_New(i64)
declare ptr @PyList_New(i64)
declare ptr @PySequence_GetItem(ptr, i64)
declare ptr @PySequence_Tuple(ptr)
declare ptr @PyObject_CallNoArgs(ptr)
declare ptr @PyObject_CallOneArg(ptr, ptr)
declare ptr @PyObject_Call(ptr, ptr, ptr)
declare i32 @PyObject_RichCompareBool(ptr, ptr, i32)
declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare i32 @PyObject_IsTrue(ptr)
declare void @PyErr_Clear()
declare ptr @PyErr_NoMemory()
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare ptr @PyArray_NewCopy(ptr, i32)
declare ptr @PyArray_NewFromDescr(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
declare ptr @PyDataMem_SetHandler(ptr)
declare ptr @PyMem_RawMalloc(i64)
declare void @PyMem_RawFree(ptr)
declare ptr @slow_call(ptr, ptr, ptr)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""

# Collects the leaves of an object, if its structure is that of the code; each is then owned.
_WALK = """
define internal i1 @walk(ptr %c, ptr %x) {
  %code = field ptr %c, ${c_code}
  %op = field i64 %code, 0
  %first = field ptr %code, 8
  %body = getelementptr i8, ptr %code, i64 16
  switch i64 %op, label %container [i64 ${op_LEAF}, label %leaf
                                    i64 ${op_SAME}, label %same]
leaf:
  %index = ptrtoint ptr %first to i64
  %leaves = field ptr %c, ${c_leaves}
  %place = getelementptr ptr, ptr %leaves, i64 %index
  store ptr %x, ptr %place
  call void @Py_IncRef(ptr %x)
  set ptr %body, %c, ${c_code}
  ret i1 true
same:
  set ptr %body, %c, ${c_code}
  %is_it = icmp eq ptr %x, %first
  ret i1 %is_it
container:
  %n = ptrtoint ptr %first to i64
  %wanted = field ptr %code, 16
  %type = field ptr %x, 8
  %fits = icmp eq ptr %type, %wanted
  br i1 %fits, label %inside, label %no
inside:
  %children = getelementptr i8, ptr %code, i64 24
  set ptr %children, %c, ${c_code}
  switch i64 %op, label %no [i64 ${op_TUPLE}, label %tuple
                             i64 ${op_LIST}, label %list
                             i64 ${op_DICT}, label %dict
                             i64 ${op_NODE}, label %node]
tuple:
  %t = call i1 @walk_items(ptr %c, ptr %x, i64 %n, i1 false)
  ret i1 %t
list:
  %l = call i1 @walk_items(ptr %c, ptr %x, i64 %n, i1 true)
  ret i1 %l
dict:
  %d = call i1 @walk_dict(ptr %c, ptr %x, i64 %n)
  ret i1 %d
node:
  %r = call i1 @walk_node(ptr %c, ptr %x, i64 %n)
  ret i1 %r
no:
  ret i1 false
}

define internal i1 @walk_items(ptr %c, ptr %x, i64 %n, i1 %is_list) {
entry:
  call void @Py_IncRef(ptr %x)
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %step]
  %size = field i64 %x, 16
  %right = icmp eq i64 %size, %n
  br i1 %right, label %sized, label %over
sized:
  %more = icmp ult i64 %i, %n
  br i1 %more, label %item, label %over
item:
  %inline = getelementptr i8, ptr %x, i64 24
  %apart = load ptr, ptr %inline
  %items = select i1 %is_list, ptr %apart, ptr %inline
  %at = getelementptr ptr, ptr %items, i64 %i
  %child = load ptr, ptr %at
  %good = call i1 @walk(ptr %c, ptr %child)
  br i1 %good, label %step, label %over
step:
  %next = add i64 %i, 1
  br label %head
over:
  %result = phi i1 [false, %head], [true, %sized], [false, %item]
  call void @Py_DecRef(ptr %x)
  ret i1 %result
}

define internal i1 @walk_dict(ptr %c, ptr %x, i64 %n) {
entry:
  call void @Py_IncRef(ptr %x)
  %size = call i64 @PyDict_Size(ptr %x)
  %right = icmp eq i64 %size, %n
  br i1 %right, label %head, label %over
head:
  %i = phi i64 [0, %entry], [%next, %step]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %item, label %over
item:
  %code = field ptr %c, ${c_code}
  %key = load ptr, ptr %code
  %after = getelementptr i8, ptr %code, i64 8
  set ptr %after, %c, ${c_code}
  %child = call ptr @PyDict_GetItemWithError(ptr %x, ptr %key)
  %absent = icmp eq ptr %child, null
  br i1 %absent, label %none, label %there
there:
  %good = call i1 @walk(ptr %c, ptr %child)
  br i1 %good, label %step, label %over
step:
  %next = add i64 %i, 1
  br label %head
none:
  call void @PyErr_Clear()
  br label %over
over:
  %result = phi i1 [false, %entry], [true, %head], [false, %there], [false, %none]
  call void @Py_DecRef(ptr %x)
  ret i1 %result
}

define internal i1 @walk_node(ptr %c, ptr %x, i64 %n) {
  %code = field ptr %c, ${c_code}
  %flatten = field ptr %code, 0
  %wanted = field ptr %code, 8
  %body = getelementptr i8, ptr %code, i64 16
  set ptr %body, %c, ${c_code}
  %flat = call ptr @PyObject_CallOneArg(ptr %flatten, ptr %x)
  %raised = icmp eq ptr %flat, null
  br i1 %raised, label %none, label %flattened
flattened:
  %aux = call ptr @PySequence_GetItem(ptr %flat, i64 1)
  %no_aux = icmp eq ptr %aux, null
  br i1 %no_aux, label %drop, label %compare
compare:
  %same = call i32 @PyObject_RichCompareBool(ptr %aux, ptr %wanted, i32 2)
  call void @Py_DecRef(ptr %aux)
  %equal = icmp eq i32 %same, 1
  br i1 %equal, label %first, label %drop
first:
  %given = call ptr @PySequence_GetItem(ptr %flat, i64 0)
  %no_given = icmp eq ptr %given, null
  br i1 %no_given, label %drop, label %listed
listed:
  %children = call ptr @PySequence_Tuple(ptr %given)
  call void @Py_DecRef(ptr %given)
  %no_children = icmp eq ptr %children, null
  br i1 %no_children, label %drop, label %inside
inside:
  %good = call i1 @walk_items(ptr %c, ptr %children, i64 %n, i1 false)
  call void @Py_DecRef(ptr %children)
  call void @Py_DecRef(ptr %flat)
  ret i1 %good
drop:
  call void @Py_DecRef(ptr %flat)
  br label %none
none:
  call void @PyErr_Clear()
  ret i1 false
}

define internal void @release(ptr %leaves, i64 %n) {
entry:
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %step]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %one, label %over
one:
  %at = getelementptr ptr, ptr %leaves, i64 %i
  %x = load ptr, ptr %at
  store ptr null, ptr %at
  %empty = icmp eq ptr %x, null
  br i1 %empty, label %step, label %drop
drop:
  call void @Py_DecRef(ptr %x)
  br label %step
step:
  %next = add i64 %i, 1
  br label %head
over:
  ret void
}
"""

# Whether leaves have an entry's signature. If so, `objects` then holds the array objects of the
# program's inputs; a number gets a place in `scratch` that a program can read like an array.
# A leaf of a signature is: descr (0 for a Python number), type number, type of the same as a
# scalar, its conversion, ndim, sizes.
_COMPARE = """
define internal i1 @compare(ptr %g, ptr %e, ptr %leaves, i64 %n, ptr %given, ptr %scratch) {
entry:
  %array = field ptr %g, ${g_array}
  %ndarray = field ptr %g, ${g_ndarray}
  %start = field ptr %e, ${entry_signature}
  %consts = field ptr %e, ${entry_consts}
  %n_consts = field i64 %e, ${entry_n_consts}
  %objects = getelementptr ptr, ptr %given, i64 %n_consts
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %step]
  %s = phi ptr [%start, %entry], [%after, %step]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %one, label %all
all:
  %nbytes = shl i64 %n_consts, 3
  call void @llvm.memcpy.p0.p0.i64(ptr %given, ptr %consts, i64 %nbytes, i1 false)
  ret i1 true
one:
  %leaf_at = getelementptr ptr, ptr %leaves, i64 %i
  %x = load ptr, ptr %leaf_at
  %type = field ptr %x, 8
  %s_ndim = field i64 %s, 32
  %sizes = getelementptr i8, ptr %s, i64 40
  %after = getelementptr i64, ptr %sizes, i64 %s_ndim
  %object_at = getelementptr ptr, ptr %objects, i64 %i
  %ours = icmp eq ptr %type, %array
  %numpys = icmp eq ptr %type, %ndarray
  %either = or i1 %ours, %numpys
  br i1 %either, label %of_array, label %of_number

of_array:
  %descr = field ptr %x, ${array_descr}
  %s_descr = field ptr %s, 0
  %same = icmp eq ptr %descr, %s_descr
  br i1 %same, label %shaped, label %alike
alike:  ; a copy of NumPy's own dtype, such as unpickling makes
  %number = field i32 %descr, 28
  %wide = sext i32 %number to i64
  %s_number = field i64 %s, 8
  %numbers = icmp eq i64 %wide, %s_number
  %order = field i8 %descr, 26
  %native = icmp eq i8 %order, 61
  %no_order = icmp eq i8 %order, 124
  %readable = or i1 %native, %no_order
  %fine = and i1 %numbers, %readable
  br i1 %fine, label %shaped, label %no
shaped:
  %ndim = field i32 %x, ${array_ndim}
  %ndim64 = sext i32 %ndim to i64
  %same_ndim = icmp eq i64 %ndim64, %s_ndim
  %flags = field i32 %x, ${array_flags}
  %needed = and i32 %flags, 257
  %plain = icmp eq i32 %needed, 257
  br i1 %same_ndim, label %sizes_of, label %no
sizes_of:
  %dims = field ptr %x, ${array_dims}
  br label %axis
axis:
  %k = phi i64 [0, %sizes_of], [%k_next, %axis_step]
  %more_axes = icmp ult i64 %k, %s_ndim
  br i1 %more_axes, label %axis_one, label %fits
axis_one:
  %dim_at = getelementptr i64, ptr %dims, i64 %k
  %dim = load i64, ptr %dim_at
  %size_at = getelementptr i64, ptr %sizes, i64 %k
  %size = load i64, ptr %size_at
  %equal = icmp eq i64 %dim, %size
  br i1 %equal, label %axis_step, label %no
axis_step:
  %k_next = add i64 %k, 1
  br label %axis
fits:
  br i1 %plain, label %take, label %straighten
straighten:  ; a program reads contiguous arrays: the leaf becomes a copy
  %copied = call ptr @PyArray_NewCopy(ptr %x, i32 0)
  %failed = icmp eq ptr %copied, null
  br i1 %failed, label %forget, label %exchange
forget:
  call void @PyErr_Clear()
  br label %no
exchange:
  store ptr %copied, ptr %leaf_at
  call void @Py_DecRef(ptr %x)
  br label %take
take:
  %usable = phi ptr [%x, %fits], [%copied, %exchange]
  store ptr %usable, ptr %object_at
  br label %step

of_number:
  %s_type = field ptr %s, 16
  %same_type = icmp eq ptr %type, %s_type
  br i1 %same_type, label %convert, label %no
convert:
  %offset = mul i64 %i, ${SCRATCH}
  %stand_in = getelementptr i8, ptr %scratch, i64 %offset
  %value_at = getelementptr i8, ptr %stand_in, i64 24
  %conversion = field i64 %s, 24
  store ptr %stand_in, ptr %object_at
  set ptr %value_at, %stand_in, ${array_data}
  switch i64 %conversion, label %no [i64 ${to_DIRECT}, label %direct
                                     i64 ${to_FLOAT32}, label %float32
                                     i64 ${to_COMPLEX64}, label %complex64
                                     i64 ${to_INT64}, label %int64
                                     i64 ${to_BOOL}, label %bool]
direct:
  %inside = getelementptr i8, ptr %x, i64 16
  set ptr %inside, %stand_in, ${array_data}
  br label %step
float32:
  %double = field double %x, 16
  %float = fptrunc double %double to float
  store float %float, ptr %value_at
  br label %step
complex64:
  %re64 = field double %x, 16
  %im64 = field double %x, 24
  %re = fptrunc double %re64 to float
  %im = fptrunc double %im64 to float
  store float %re, ptr %value_at
  set float %im, %value_at, 4
  br label %step
int64:
  %overflow_at = getelementptr i8, ptr %stand_in, i64 32
  %integer = call i64 @PyLong_AsLongLongAndOverflow(ptr %x, ptr %overflow_at)
  %overflow = load i32, ptr %overflow_at
  store i64 %integer, ptr %value_at
  %small = icmp eq i32 %overflow, 0
  br i1 %small, label %step, label %no
bool:
  %truth = call i32 @PyObject_IsTrue(ptr %x)
  %byte = trunc i32 %truth to i8
  store i8 %byte, ptr %value_at
  br label %step
step:
  %next = add i64 %i, 1
  br label %head
no:
  ret i1 false
}
"""

# The entry whose signature the leaves have, or null: the one found last, else by its hash.
_FIND = """
define internal i64 @hash(ptr %g, ptr %leaves, i64 %n) {
entry:
  %array = field ptr %g, ${g_array}
  %ndarray = field ptr %g, ${g_ndarray}
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %step]
  %h = phi i64 [0, %entry], [%h_next, %step]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %one, label %all
one:
  %at = getelementptr ptr, ptr %leaves, i64 %i
  %x = load ptr, ptr %at
  %type = field ptr %x, 8
  %ours = icmp eq ptr %type, %array
  %numpys = icmp eq ptr %type, %ndarray
  %either = or i1 %ours, %numpys
  br i1 %either, label %of_array, label %mix
of_array:
  %ndim32 = field i32 %x, ${array_ndim}
  %ndim = sext i32 %ndim32 to i64
  %scalar = icmp eq i64 %ndim, 0
  br i1 %scalar, label %mix, label %ranked
ranked:
  %descr = field ptr %x, ${array_descr}
  %number32 = field i32 %descr, 28
  %number = sext i32 %number32 to i64
  %shifted = shl i64 %number, 8
  %kind = or i64 %shifted, %ndim
  %dims = field ptr %x, ${array_dims}
  br label %axis
axis:
  %k = phi i64 [0, %ranked], [%k_next, %axis_one]
  %a = phi i64 [%kind, %ranked], [%a_next, %axis_one]
  %more_axes = icmp ult i64 %k, %ndim
  br i1 %more_axes, label %axis_one, label %mix
axis_one:
  %dim_at = getelementptr i64, ptr %dims, i64 %k
  %dim = load i64, ptr %dim_at
  %a_times = mul i64 %a, ${HASH}
  %a_next = xor i64 %a_times, %dim
  %k_next = add i64 %k, 1
  br label %axis
mix:
  %one_leaf = phi i64 [1, %one], [1, %of_array], [%a, %axis]
  %both = xor i64 %h, %one_leaf
  %times = mul i64 %both, ${HASH}
  %high = lshr i64 %times, 29
  %h_next = xor i64 %times, %high
  br label %step
step:
  %next = add i64 %i, 1
  br label %head
all:
  ret i64 %h
}

define internal ptr @find(ptr %g, ptr %tree, ptr %leaves, i64 %n, ptr %objects, ptr %scratch) {
entry:
  %recent = field ptr %tree, ${tree_recent}
  %none = icmp eq ptr %recent, null
  br i1 %none, label %by_hash, label %try
try:
  %again = call i1 @compare(ptr %g, ptr %recent, ptr %leaves, i64 %n, ptr %objects, ptr %scratch)
  br i1 %again, label %same, label %by_hash
same:
  ret ptr %recent
by_hash:
  %h = call i64 @hash(ptr %g, ptr %leaves, i64 %n)
  %mask = field i64 %tree, ${tree_mask}
  %slots = field ptr %tree, ${tree_slots}
  br label %head
head:
  %at = phi i64 [%h, %by_hash], [%at_next, %step]
  %slot = and i64 %at, %mask
  %offset = shl i64 %slot, 4
  %pair = getelementptr i8, ptr %slots, i64 %offset
  %known = field i64 %pair, 0
  %candidate = field ptr %pair, 8
  %free = icmp eq ptr %candidate, null
  br i1 %free, label %absent, label %taken
taken:
  %equal = icmp eq i64 %known, %h
  br i1 %equal, label %check, label %step
check:
  %fits = call i1 @compare(ptr %g, ptr %candidate, ptr %leaves, i64 %n, ptr %objects, ptr %scratch)
  br i1 %fits, label %found, label %step
step:
  %at_next = add i64 %slot, 1
  br label %head
found:
  set ptr %candidate, %tree, ${tree_recent}
  ret ptr %candidate
absent:
  ret ptr null
}
"""

# The result's tree, from results that are moved into it.
_BUILD = """
define internal ptr @build(ptr %c) {
  %code = field ptr %c, ${c_code}
  %op = field i64 %code, 0
  %first = field ptr %code, 8
  %n = ptrtoint ptr %first to i64
  %body = getelementptr i8, ptr %code, i64 16
  set ptr %body, %c, ${c_code}
  switch i64 %op, label %node [i64 ${op_LEAF}, label %leaf
                               i64 ${op_SAME}, label %same
                               i64 ${op_TUPLE}, label %tuple
                               i64 ${op_LIST}, label %list
                               i64 ${op_DICT}, label %dict
                               i64 ${op_NAMED}, label %named]
leaf:
  %results = field ptr %c, ${c_leaves}
  %at = getelementptr ptr, ptr %results, i64 %n
  %x = load ptr, ptr %at
  store ptr null, ptr %at
  ret ptr %x
same:
  call void @Py_IncRef(ptr %first)
  ret ptr %first
tuple:
  %after_tuple = getelementptr i8, ptr %code, i64 24
  set ptr %after_tuple, %c, ${c_code}
  %t = call ptr @build_tuple(ptr %c, i64 %n)
  ret ptr %t
list:
  %after_list = getelementptr i8, ptr %code, i64 24
  set ptr %after_list, %c, ${c_code}
  %l = call ptr @build_list(ptr %c, i64 %n)
  ret ptr %l
dict:
  %after_dict = getelementptr i8, ptr %code, i64 24
  set ptr %after_dict, %c, ${c_code}
  %d = call ptr @build_dict(ptr %c, i64 %n)
  ret ptr %d
named:
  %make = field ptr %code, 16
  %after_named = getelementptr i8, ptr %code, i64 24
  set ptr %after_named, %c, ${c_code}
  %fields = call ptr @build_tuple(ptr %c, i64 %n)
  %no_fields = icmp eq ptr %fields, null
  br i1 %no_fields, label %failed, label %name
name:
  %made = call ptr @PyObject_CallOneArg(ptr %make, ptr %fields)
  call void @Py_DecRef(ptr %fields)
  ret ptr %made
node:
  %unflatten = field ptr %code, 16
  %aux = field ptr %code, 24
  %after_node = getelementptr i8, ptr %code, i64 32
  set ptr %after_node, %c, ${c_code}
  %children = call ptr @build_tuple(ptr %c, i64 %n)
  %no_children = icmp eq ptr %children, null
  br i1 %no_children, label %failed, label %pack
pack:
  %both = call ptr @PyTuple_New(i64 2)
  %no_both = icmp eq ptr %both, null
  br i1 %no_both, label %drop, label %call
call:
  call void @Py_IncRef(ptr %aux)
  set ptr %aux, %both, 24
  set ptr %children, %both, 32
  %object = call ptr @PyObject_Call(ptr %unflatten, ptr %both, ptr null)
  call void @Py_DecRef(ptr %both)
  ret ptr %object
drop:
  call void @Py_DecRef(ptr %children)
  ret ptr null
failed:
  ret ptr null
}

define internal ptr @build_tuple(ptr %c, i64 %n) {
  %x = call ptr @PyTuple_New(i64 %n)
  %none = icmp eq ptr %x, null
  br i1 %none, label %over, label %fill
fill:
  %items = getelementptr i8, ptr %x, i64 24
  %filled = call ptr @build_items(ptr %c, ptr %x, ptr %items, i64 %n)
  ret ptr %filled
over:
  ret ptr null
}

define internal ptr @build_list(ptr %c, i64 %n) {
  %x = call ptr @PyList_New(i64 %n)
  %none = icmp eq ptr %x, null
  br i1 %none, label %over, label %fill
fill:
  %items = field ptr %x, 24
  %filled = call ptr @build_items(ptr %c, ptr %x, ptr %items, i64 %n)
  ret ptr %filled
over:
  ret ptr null
}

define internal ptr @build_items(ptr %c, ptr %x, ptr %items, i64 %n) {
entry:
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %store]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %one, label %done
one:
  %child = call ptr @build(ptr %c)
  %none = icmp eq ptr %child, null
  br i1 %none, label %failed, label %store
store:
  %at = getelementptr ptr, ptr %items, i64 %i
  store ptr %child, ptr %at
  %next = add i64 %i, 1
  br label %head
failed:
  call void @Py_DecRef(ptr %x)
  ret ptr null
done:
  ret ptr %x
}

define internal ptr @build_dict(ptr %c, i64 %n) {
entry:
  %x = call ptr @PyDict_New()
  %nothing = icmp eq ptr %x, null
  br i1 %nothing, label %out_of_memory, label %head
head:
  %i = phi i64 [0, %entry], [%next, %store]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %one, label %done
one:
  %code = field ptr %c, ${c_code}
  %key = load ptr, ptr %code
  %after = getelementptr i8, ptr %code, i64 8
  set ptr %after, %c, ${c_code}
  %child = call ptr @build(ptr %c)
  %none = icmp eq ptr %child, null
  br i1 %none, label %failed, label %store
store:
  %bad = call i32 @PyDict_SetItem(ptr %x, ptr %key, ptr %child)
  call void @Py_DecRef(ptr %child)
  %next = add i64 %i, 1
  %good = icmp eq i32 %bad, 0
  br i1 %good, label %head, label %failed
failed:
  call void @Py_DecRef(ptr %x)
  ret ptr null
out_of_memory:
  ret ptr null
done:
  ret ptr %x
}
"""

# Runs a program: `objects` holds its inputs, and then also new arrays of its results.
_RUN = """
define internal i1 @run(ptr %block, ptr %objects) {
entry:
  %g = field ptr %block, ${block_globals}
  %array = field ptr %g, ${g_array}
  %n_in = field i64 %block, ${block_inputs}
  %n_out = field i64 %block, ${block_outputs}
  %records = field ptr %block, ${block_records}
  %results = getelementptr ptr, ptr %objects, i64 %n_in
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %made]
  %more = icmp ult i64 %i, %n_out
  br i1 %more, label %one, label %ready
one:
  %offset = mul i64 %i, ${out_bytes}
  %r = getelementptr i8, ptr %records, i64 %offset
  %large = field i64 %r, ${out_large}
  %usual = icmp eq i64 %large, 0
  br i1 %usual, label %small, label %recycled
small:
  %fresh = call ptr @new_array(ptr %array, ptr %r)
  br label %check
recycled:
  %handler = field ptr %g, ${g_handler}
  %before = call ptr @PyDataMem_SetHandler(ptr %handler)
  %unset = icmp eq ptr %before, null
  br i1 %unset, label %no_memory, label %reuse
reuse:
  %reused = call ptr @new_array(ptr %array, ptr %r)
  %ours = call ptr @PyDataMem_SetHandler(ptr %before)
  call void @Py_DecRef(ptr %before)
  %kept = icmp eq ptr %ours, null
  br i1 %kept, label %check, label %back
back:
  call void @Py_DecRef(ptr %ours)
  br label %check
check:
  %x = phi ptr [%fresh, %small], [%reused, %reuse], [%reused, %back]
  %none = icmp eq ptr %x, null
  br i1 %none, label %no_memory, label %made
made:
  %at = getelementptr ptr, ptr %results, i64 %i
  store ptr %x, ptr %at
  %next = add i64 %i, 1
  br label %head
no_memory:
  call void @release(ptr %results, i64 %i)
  ret i1 false

ready:
  %constants = field ptr %block, ${block_constants}
  %last = getelementptr ptr, ptr %results, i64 %n_out
  store ptr %constants, ptr %last
  %kept_arena = field ptr %block, ${block_arena}
  %nbytes = field i64 %block, ${block_arena_bytes}
  %busy = field i64 %block, ${block_busy}
  %in_use = icmp ne i64 %busy, 0
  %needed = icmp ne i64 %nbytes, 0
  %another = and i1 %in_use, %needed
  br i1 %another, label %allocate, label %claim
claim:  ; under the interpreter's lock
  set i64 1, %block, ${block_busy}
  br label %enter
allocate:
  %with_room = add i64 %nbytes, 64
  %raw = call ptr @PyMem_RawMalloc(i64 %with_room)
  %failed = icmp eq ptr %raw, null
  br i1 %failed, label %no_arena, label %align
no_arena:
  %never_too = call ptr @PyErr_NoMemory()
  call void @release(ptr %results, i64 %n_out)
  ret i1 false
align:
  %number = ptrtoint ptr %raw to i64
  %low = and i64 %number, 63
  %up = sub i64 64, %low
  %aligned = getelementptr i8, ptr %raw, i64 %up
  br label %enter
enter:
  %own = phi ptr [null, %claim], [%raw, %align]
  %arena = phi ptr [%kept_arena, %claim], [%aligned, %align]
  %driver = field ptr %block, ${block_driver}
  %functions = field ptr %block, ${block_functions}
  %integers = field ptr %block, ${block_integers}
  %release = field i64 %block, ${block_release}
  %lets_go = icmp ne i64 %release, 0
  br i1 %lets_go, label %unlocked, label %locked
locked:
  %status_1 = call i32 %driver(ptr %objects, ptr %arena, ptr %functions, ptr %integers)
  br label %ran
unlocked:
  %thread = call ptr @PyEval_SaveThread()
  %status_2 = call i32 %driver(ptr %objects, ptr %arena, ptr %functions, ptr %integers)
  call void @PyEval_RestoreThread(ptr %thread)
  br label %ran
ran:
  %status = phi i32 [%status_1, %locked], [%status_2, %unlocked]
  %shared = icmp eq ptr %own, null
  br i1 %shared, label %give_back, label %free
give_back:
  set i64 %busy, %block, ${block_busy}
  br label %finish
free:
  call void @PyMem_RawFree(ptr %own)
  br label %finish
finish:
  %good = icmp eq i32 %status, 0
  br i1 %good, label %well, label %raised
raised:  ; a host call left its exception to the raiser
  call void @release(ptr %results, i64 %n_out)
  %raiser = field ptr %g, ${g_raiser}
  %never = call ptr @PyObject_CallNoArgs(ptr %raiser)
  ret i1 false
well:
  ret i1 true
}

define internal ptr @new_array(ptr %type, ptr %record) {
  %descr = field ptr %record, ${out_descr}
  %ndim64 = field i64 %record, ${out_ndim}
  %dims = field ptr %record, ${out_dims}
  %ndim = trunc i64 %ndim64 to i32
  call void @Py_IncRef(ptr %descr)
  %x = call ptr @PyArray_NewFromDescr(ptr %type, ptr %descr, i32 %ndim, ptr %dims, ptr null,
                                      ptr null, i32 0, ptr null)
  ret ptr %x
}
"""

_CALL = """
define ptr @call(ptr %self, ptr %args, ptr %kwargs) {
entry:
  %table = field ptr %self, ${SLOT}
  %absent = icmp eq ptr %table, null
  br i1 %absent, label %slow, label %ready
ready:
  %words = field ptr %table, ${array_data}
  %g = field ptr %words, ${table_globals}
  %scopes = field ptr %g, ${g_scopes}
  %open = field i64 %scopes, 16
  %special = icmp ne i64 %open, 0
  br i1 %special, label %slow, label %plain
plain:
  call void @Py_IncRef(ptr %table)
  %no_kwargs = field ptr %g, ${g_no_kwargs}
  %given = icmp ne ptr %kwargs, null
  %keywords = select i1 %given, ptr %kwargs, ptr %no_kwargs
  %max_leaves = field i64 %words, ${table_leaves}
  %max_objects = field i64 %words, ${table_objects}
  %n_trees = field i64 %words, ${table_n}
  %trees = getelementptr i8, ptr %words, i64 ${table_trees}
  %leaves = alloca ptr, i64 %max_leaves, align 16
  %objects = alloca ptr, i64 %max_objects, align 16
  %scratch = alloca [${SCRATCH} x i8], i64 %max_leaves, align 16
  %c = alloca [2 x ptr], align 16
  %leaves_bytes = shl i64 %max_leaves, 3
  call void @llvm.memset.p0.i64(ptr %leaves, i8 0, i64 %leaves_bytes, i1 false)
  set ptr %leaves, %c, ${c_leaves}
  br label %head
head:
  %k = phi i64 [0, %plain], [%k_next, %miss]
  %more = icmp ult i64 %k, %n_trees
  br i1 %more, label %try, label %give_up
try:
  %tree_at = getelementptr ptr, ptr %trees, i64 %k
  %tree = load ptr, ptr %tree_at
  %n = field i64 %tree, ${tree_leaves}
  %code = field ptr %tree, ${tree_code}
  set ptr %code, %c, ${c_code}
  %args_fit = call i1 @walk(ptr %c, ptr %args)
  br i1 %args_fit, label %try_keywords, label %miss
try_keywords:
  %kwargs_fit = call i1 @walk(ptr %c, ptr %keywords)
  br i1 %kwargs_fit, label %flat, label %miss
flat:
  %e = call ptr @find(ptr %g, ptr %tree, ptr %leaves, i64 %n, ptr %objects, ptr %scratch)
  %unknown = icmp eq ptr %e, null
  br i1 %unknown, label %miss, label %found
miss:
  call void @release(ptr %leaves, i64 %n)
  %k_next = add i64 %k, 1
  br label %head
found:
  %block = field ptr %e, ${entry_block}
  %n_in = field i64 %block, ${block_inputs}
  %n_out = field i64 %block, ${block_outputs}
  %good = call i1 @run(ptr %block, ptr %objects)
  br i1 %good, label %assemble, label %over
assemble:
  %results = getelementptr ptr, ptr %objects, i64 %n_in
  %out_code = field ptr %e, ${entry_code}
  set ptr %out_code, %c, ${c_code}
  set ptr %results, %c, ${c_leaves}
  %result = call ptr @build(ptr %c)
  %whole = icmp ne ptr %result, null
  br i1 %whole, label %over, label %drop
drop:
  call void @release(ptr %results, i64 %n_out)
  br label %over
over:
  %answer = phi ptr [null, %found], [%result, %assemble], [null, %drop]
  call void @release(ptr %leaves, i64 %n)
  call void @Py_DecRef(ptr %table)
  ret ptr %answer
give_up:
  call void @Py_DecRef(ptr %table)
  br label %slow
slow:
  %usual = call ptr @slow_call(ptr %self, ptr %args, ptr %kwargs)
  ret ptr %usual
}

define ptr @run_flat(ptr %words, ptr %arguments, i64 %n) {
entry:
  %block = field ptr %words, ${array_data}
  %n_out = field i64 %block, ${block_outputs}
  %both = add i64 %n, %n_out
  %room = add i64 %both, 1
  %objects = alloca ptr, i64 %room, align 16
  %nbytes = shl i64 %n, 3
  call void @llvm.memcpy.p0.p0.i64(ptr %objects, ptr %arguments, i64 %nbytes, i1 false)
  %good = call i1 @run(ptr %block, ptr %objects)
  br i1 %good, label %listed, label %failed
listed:
  %list = call ptr @PyList_New(i64 %n_out)
  %results = getelementptr ptr, ptr %objects, i64 %n
  %none = icmp eq ptr %list, null
  br i1 %none, label %drop, label %fill
fill:
  %items = field ptr %list, 24
  %list_bytes = shl i64 %n_out, 3
  call void @llvm.memcpy.p0.p0.i64(ptr %items, ptr %results, i64 %list_bytes, i1 false)
  ret ptr %list
drop:
  call void @release(ptr %results, i64 %n_out)
  ret ptr null
failed:
  ret ptr null
}
"""
