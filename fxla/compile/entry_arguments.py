"""LLVM text of native calls, the arguments: leaves of their tree, and the entry of their types."""

from __future__ import annotations

__all__ = ["COMPARE", "DISTINCT", "FIND", "WALK"]


def _kept(code: str, x: str) -> str:
    """Text that keeps the leaf `x`, whose code this is, and goes on behind it."""
    return f"""
  %index = field i64 {code}, 8
  %leaves = field ptr %c, ${{c_leaves}}
  %place = getelementptr ptr, ptr %leaves, i64 %index
  store ptr {x}, ptr %place
  call void @Py_IncRef(ptr {x})
  %behind = getelementptr i8, ptr {code}, i64 16
  set ptr %behind, %c, ${{c_code}}"""


def _child(code: str) -> str:
    """Text that takes a child whose code this is; most are leaves, which need no call."""
    return f"""
  %its_op = field i64 {code}, 0
  %is_leaf = icmp eq i64 %its_op, ${{op_LEAF}}
  br i1 %is_leaf, label %leaf, label %deeper
leaf:{_kept(code, "%child")}
  br label %step
deeper:
  set ptr {code}, %c, ${{c_code}}
  %good = call i1 @walk(ptr %c, ptr %child)
  br i1 %good, label %step, label %over"""


# Collects the leaves of an object, if its structure is that of the code; each is then owned.
WALK = (
    """
define internal i1 @walk(ptr %c, ptr %x) {
  %code = field ptr %c, ${c_code}
  %op = field i64 %code, 0
  %first = field ptr %code, 8
  %body = getelementptr i8, ptr %code, i64 16
  switch i64 %op, label %container [i64 ${op_LEAF}, label %leaf
                                    i64 ${op_SAME}, label %same
                                    i64 ${op_EQUAL}, label %equal]
leaf:"""
    + _kept("%code", "%x")
    + """
  ret i1 true
same:
  set ptr %body, %c, ${c_code}
  %is_it = icmp eq ptr %x, %first
  ret i1 %is_it
equal:
  set ptr %body, %c, ${c_code}
  %identical = icmp eq ptr %x, %first
  br i1 %identical, label %yes, label %kinds
kinds:
  %kind = field ptr %x, 8
  %first_kind = field ptr %first, 8
  %alike = icmp eq ptr %kind, %first_kind
  br i1 %alike, label %rich, label %no
rich:
  %compared = call i32 @PyObject_RichCompareBool(ptr %x, ptr %first, i32 2)
  %is_equal = icmp eq i32 %compared, 1
  ret i1 %is_equal
yes:
  ret i1 true
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
                             i64 ${op_NODE}, label %node
                             i64 ${op_OBJECT}, label %object]
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
object:
  %attributes = call ptr @PyObject_GenericGetDict(ptr %x, ptr null)
  %without = icmp eq ptr %attributes, null
  br i1 %without, label %clear, label %named
named:
  %a = call i1 @walk_dict(ptr %c, ptr %attributes, i64 %n)
  call void @Py_DecRef(ptr %attributes)
  ret i1 %a
clear:
  call void @PyErr_Clear()
  br label %no
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
  %code = field ptr %c, ${c_code}
"""
    + _child("%code")
    + """
step:
  %next = add i64 %i, 1
  br label %head
over:
  %result = phi i1 [false, %head], [true, %sized], [false, %deeper]
  call void @Py_DecRef(ptr %x)
  ret i1 %result
}

; Keys mostly come in the order of the code, and are the same objects; others are looked up.
define internal i1 @walk_dict(ptr %c, ptr %x, i64 %n) {
entry:
  %position = alloca i64
  %next_key = alloca ptr
  %next_value = alloca ptr
  store i64 0, ptr %position
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
  %going = call i32 @PyDict_Next(ptr %x, ptr %position, ptr %next_key, ptr %next_value)
  %ended = icmp eq i32 %going, 0
  br i1 %ended, label %search, label %in_order
in_order:
  %key_there = load ptr, ptr %next_key
  %value_there = load ptr, ptr %next_value
  %expected = icmp eq ptr %key_there, %key
  br i1 %expected, label %there, label %search
search:
  %value_found = call ptr @PyDict_GetItemWithError(ptr %x, ptr %key)
  %absent = icmp eq ptr %value_found, null
  br i1 %absent, label %none, label %there
there:
  %child = phi ptr [%value_there, %in_order], [%value_found, %search]
"""
    + _child("%after")
    + """
step:
  %next = add i64 %i, 1
  br label %head
none:
  call void @PyErr_Clear()
  br label %over
over:
  %result = phi i1 [false, %entry], [true, %head], [false, %deeper], [false, %none]
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
)

# Whether no two leaves are the same array, by a hash table of the arrays, at most half full.
DISTINCT = """
define internal i1 @distinct(ptr %g, ptr %leaves, i64 %n) {
entry:
  %array = field ptr %g, ${g_array}
  %ndarray = field ptr %g, ${g_ndarray}
  %double = shl i64 %n, 1
  %zeros = call i64 @llvm.ctlz.i64(i64 %double, i1 false)
  %bits = sub i64 64, %zeros
  %size = shl i64 1, %bits
  %mask = sub i64 %size, 1
  %table = alloca i64, i64 %size, align 16
  %nbytes = shl i64 %size, 3
  call void @llvm.memset.p0.i64(ptr %table, i8 0, i64 %nbytes, i1 false)
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %step]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %one, label %yes
one:
  %leaf_at = getelementptr ptr, ptr %leaves, i64 %i
  %x = load ptr, ptr %leaf_at
  %type = field ptr %x, 8
  %ours = icmp eq ptr %type, %array
  %numpys = icmp eq ptr %type, %ndarray
  %either = or i1 %ours, %numpys
  br i1 %either, label %hash, label %step
hash:
  %number = ptrtoint ptr %x to i64
  %mixed = mul i64 %number, ${HASH}
  %upper = lshr i64 %mixed, 32
  br label %probe
probe:
  %guess = phi i64 [%upper, %hash], [%following, %taken]
  %place = and i64 %guess, %mask
  %slot = getelementptr i64, ptr %table, i64 %place
  %there = load i64, ptr %slot
  %free = icmp eq i64 %there, 0
  br i1 %free, label %keep, label %taken
taken:
  %following = add i64 %place, 1
  %same = icmp eq i64 %there, %number
  br i1 %same, label %no, label %probe
keep:
  store i64 %number, ptr %slot
  br label %step
step:
  %next = add i64 %i, 1
  br label %head
yes:
  ret i1 true
no:
  ret i1 false
}
"""

# Whether leaves have an entry's signature. If so, `objects` then holds the array objects of the
# program's inputs; a number gets a place in `scratch` that a program can read like an array.
# A leaf of a signature is: descr (0 for a Python number), type number, type of the same as a
# scalar, its conversion, ndim, sizes.
COMPARE = """
define internal i1 @compare(ptr %g, ptr %c, ptr %e, i64 %n, ptr %given, ptr %scratch) {
entry:
  %array = field ptr %g, ${g_array}
  %ndarray = field ptr %g, ${g_ndarray}
  %start = field ptr %e, ${entry_signature}
  %consts = field ptr %e, ${entry_consts}
  %n_consts = field i64 %e, ${entry_n_consts}
  %objects = getelementptr ptr, ptr %given, i64 %n_consts
  %leaves = field ptr %c, ${c_leaves}
  %precision = field ptr %c, ${c_precision}
  %its_precision = field ptr %e, ${entry_precision}
  %same_precision = icmp eq ptr %precision, %its_precision
  %room = field i64 %c, ${c_room}
  %needs = field i64 %e, ${entry_objects}
  %enough = icmp ule i64 %needs, %room
  %possible = and i1 %same_precision, %enough
  br i1 %possible, label %head, label %no
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
FIND = """
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

define internal ptr @find(ptr %g, ptr %c, ptr %tree, i64 %n, ptr %objects, ptr %scratch) {
entry:
  %leaves = field ptr %c, ${c_leaves}
  %recent = field ptr %tree, ${tree_recent}
  %none = icmp eq ptr %recent, null
  br i1 %none, label %by_hash, label %try
try:
  %again = call i1 @compare(ptr %g, ptr %c, ptr %recent, i64 %n, ptr %objects, ptr %scratch)
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
  %fits = call i1 @compare(ptr %g, ptr %c, ptr %candidate, i64 %n, ptr %objects, ptr %scratch)
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
