"""LLVM text of native calls, the types of arguments: the entry whose signature leaves have."""

from __future__ import annotations

from fxla.compile.calls.array_text import IS_ARRAY

__all__ = ["COMPARE", "FIND"]

# Whether leaves have an entry's signature. If so, `objects` then holds the array objects of the
# program's inputs; a number gets a place in `scratch` that a program can read like an array.
# A leaf of a signature is: descr (0 for a Python number), type number, type of the same as a
# scalar, its conversion, ndim, sizes.
COMPARE = (
    """
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
  %object_at = getelementptr ptr, ptr %objects, i64 %i"""
    + IS_ARRAY
    + """
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
)

# The entry whose signature the leaves have, or null: the one found last, else by its hash.
FIND = (
    """
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
  %type = field ptr %x, 8"""
    + IS_ARRAY
    + """
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
)
