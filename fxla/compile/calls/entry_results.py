"""LLVM text of native calls, the results: their tree."""

from __future__ import annotations

__all__ = ["BUILD"]


def _taken(at: str) -> str:
    """Text that takes the result which is the leaf with this code."""
    return f"""
  %index = field i64 {at}, 8
  %results = field ptr %c, ${{c_leaves}}
  %place = getelementptr ptr, ptr %results, i64 %index
  %result = load ptr, ptr %place
  store ptr null, ptr %place
  %behind = getelementptr i8, ptr {at}, i64 16
  set ptr %behind, %c, ${{c_code}}"""


def _child(at: str) -> str:
    """Text that makes a child whose code this is; most are leaves, which need no call."""
    return f"""
  %its_op = field i64 {at}, 0
  %is_leaf = icmp eq i64 %its_op, ${{op_LEAF}}
  br i1 %is_leaf, label %leaf, label %deeper
leaf:{_taken(at)}
  br label %store
deeper:
  set ptr {at}, %c, ${{c_code}}
  %built = call ptr @build(ptr %c)
  %none = icmp eq ptr %built, null
  br i1 %none, label %failed, label %store
store:
  %child = phi ptr [%result, %leaf], [%built, %deeper]"""


# The result's tree, from results that are moved into it.
BUILD = (
    """
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
                               i64 ${op_NAMED}, label %named
                               i64 ${op_OBJECT}, label %attributed]
leaf:"""
    + _taken("%code")
    + """
  ret ptr %result
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
  %example = field ptr %code, 16
  %after_dict = getelementptr i8, ptr %code, i64 24
  set ptr %after_dict, %c, ${c_code}
  %d = call ptr @build_dict(ptr %c, i64 %n, ptr %example)
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
attributed:
  %new = field ptr %code, 16
  %type = field ptr %code, 24
  %slot = field ptr %code, 32
  %value = field ptr %code, 40
  %no_values = field ptr %code, 48
  %after_object = getelementptr i8, ptr %code, i64 56
  set ptr %after_object, %c, ${c_code}
  %attributes = call ptr @build_dict(ptr %c, i64 %n, ptr %no_values)
  %no_attributes = icmp eq ptr %attributes, null
  br i1 %no_attributes, label %failed, label %instance
instance:
  %bare = call ptr @PyObject_CallOneArg(ptr %new, ptr %type)
  %no_bare = icmp eq ptr %bare, null
  br i1 %no_bare, label %without_object, label %equip
equip:
  %dict_set = call i32 @PyObject_GenericSetDict(ptr %bare, ptr %attributes, ptr null)
  call void @Py_DecRef(ptr %attributes)
  %slot_set = call i32 @PyObject_GenericSetAttr(ptr %bare, ptr %slot, ptr %value)
  %set = or i32 %dict_set, %slot_set
  %fine = icmp eq i32 %set, 0
  br i1 %fine, label %equipped, label %useless
equipped:
  ret ptr %bare
useless:
  call void @Py_DecRef(ptr %bare)
  ret ptr null
without_object:
  call void @Py_DecRef(ptr %attributes)
  ret ptr null
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
  %code = field ptr %c, ${c_code}"""
    + _child("%code")
    + """
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

; A copy of one with these keys takes less than inserting them does.
define internal ptr @build_dict(ptr %c, i64 %n, ptr %example) {
entry:
  %x = call ptr @PyDict_Copy(ptr %example)
  %nothing = icmp eq ptr %x, null
  br i1 %nothing, label %out_of_memory, label %head
head:
  %i = phi i64 [0, %entry], [%next, %store]
  %more = icmp ult i64 %i, %n
  br i1 %more, label %one, label %done
one:
  %code = field ptr %c, ${c_code}
  %key = load ptr, ptr %code
  %after = getelementptr i8, ptr %code, i64 8"""
    + _child("%after")
    + """
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
)
