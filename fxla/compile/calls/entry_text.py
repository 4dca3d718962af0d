"""The native part of `entry`, as LLVM text: one walker for all calls of all programs.

    PyObject *call(self, args, kwargs)          the `tp_call` of a jitted function
    PyObject *run_flat(words, arguments, n)     a program on arrays that fit it: a list of results

What it reads is described in `entry_layout`.
"""

from __future__ import annotations

from fxla.compile.backend.native_text import expanded
from fxla.compile.calls.entry_arguments import DISTINCT, WALK
from fxla.compile.calls.entry_layout import (
    ARRAY,
    BLOCK,
    CONTEXT,
    CONVERT,
    DONATED,
    ENTRY,
    GLOBALS,
    HASH,
    OP,
    OUTPUT,
    SCRATCH,
    TABLE,
    TREE,
)
from fxla.compile.calls.entry_results import BUILD
from fxla.compile.calls.entry_run import DONATE, RUN
from fxla.compile.calls.entry_signature import COMPARE, FIND

__all__ = ["entry_text"]


def entry_text(slot: int) -> str:
    """The module.

    Args:
        slot: offset, in the object of a jitted function, of the reference to its table.
    """
    names = {"SLOT": slot, "HASH": HASH, "SCRATCH": SCRATCH}
    for prefix, layout in {
        "op": OP, "to": CONVERT, "g": GLOBALS, "table": TABLE, "tree": TREE, "entry": ENTRY,
        "block": BLOCK, "out": OUTPUT, "donated": DONATED, "c": CONTEXT, "array": ARRAY,
    }.items():  # fmt: skip
        names |= {f"{prefix}_{name}": number for name, number in layout.items()}
    parts = (_DECLARE, WALK, DISTINCT, COMPARE, FIND, BUILD, DONATE, RUN, _CALL)
    return expanded("".join(parts), names)


_DECLARE = """
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyDict_GetItemWithError(ptr, ptr)
declare i32 @PyDict_Next(ptr, ptr, ptr, ptr)
declare i64 @PyDict_Size(ptr)
declare ptr @PyDict_Copy(ptr)
declare i32 @PyDict_SetItem(ptr, ptr, ptr)
declare ptr @PyObject_GenericGetDict(ptr, ptr)
declare i32 @PyObject_GenericSetDict(ptr, ptr, ptr)
declare i32 @PyObject_GenericSetAttr(ptr, ptr, ptr)
declare ptr @PyTuple_New(i64)
declare ptr @PyList_New(i64)
declare ptr @PySequence_GetItem(ptr, i64)
declare ptr @PySequence_Tuple(ptr)
declare ptr @PyObject_CallNoArgs(ptr)
declare ptr @PyObject_CallOneArg(ptr, ptr)
declare ptr @PyObject_Call(ptr, ptr, ptr)
declare i32 @PyObject_RichCompareBool(ptr, ptr, i32)
declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare i64 @PyLong_AsUnsignedLongLongMask(ptr)
declare i64 @PyThread_get_thread_ident()
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
declare i64 @llvm.ctlz.i64(i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
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
  br i1 %special, label %slow, label %precise
precise:  ; the default precision, if a scope has set it: this thread's?
  %start = field ptr %g, ${g_start}
  %precisions = field ptr %g, ${g_precisions}
  %set = field i64 %precisions, 16
  %unset = icmp eq i64 %set, 0
  br i1 %unset, label %plain, label %scoped
scoped:
  %scope_items = field ptr %precisions, 24
  %last = sub i64 %set, 1
  %scope_at = getelementptr ptr, ptr %scope_items, i64 %last
  %scope = load ptr, ptr %scope_at
  %owner = field ptr %scope, 24
  %owner_number = call i64 @PyLong_AsUnsignedLongLongMask(ptr %owner)
  %this = call i64 @PyThread_get_thread_ident()
  %own_scope = icmp eq i64 %owner_number, %this
  %set_to = field ptr %scope, 32
  br i1 %own_scope, label %plain, label %slow
plain:
  %precision = phi ptr [%start, %precise], [%set_to, %scoped]
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
  %c = alloca [4 x ptr], align 16
  %leaves_bytes = shl i64 %max_leaves, 3
  call void @llvm.memset.p0.i64(ptr %leaves, i8 0, i64 %leaves_bytes, i1 false)
  set ptr %leaves, %c, ${c_leaves}
  set ptr %precision, %c, ${c_precision}
  set i64 %max_objects, %c, ${c_room}
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
  %wants_distinct = field i64 %tree, ${tree_distinct}
  %unchecked = icmp eq i64 %wants_distinct, 0
  br i1 %unchecked, label %apart, label %check
check:
  %none_shared = call i1 @distinct(ptr %g, ptr %leaves, i64 %n)
  br i1 %none_shared, label %apart, label %miss
apart:
  %e = call ptr @find(ptr %g, ptr %c, ptr %tree, i64 %n, ptr %objects, ptr %scratch)
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
  %donated = field ptr %e, ${entry_donated}
  %good = call i1 @run(ptr %block, ptr %objects, ptr %donated)
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
  %good = call i1 @run(ptr %block, ptr %objects, ptr null)
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
