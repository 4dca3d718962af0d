"""LLVM text of native calls, the arguments: the leaves of their tree."""

from __future__ import annotations

from fxla.compile.calls.array_text import IS_ARRAY

__all__ = ["DISTINCT", "WALK"]


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
DISTINCT = (
    """
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
  %type = field ptr %x, 8"""
    + IS_ARRAY
    + """
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
)
