"""LLVM text of native calls, the results: their arrays, the run that fills them, their tree."""

from __future__ import annotations

__all__ = ["BUILD", "DONATE", "RUN"]


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

# A donated array lends its memory to a result while the program runs; then both trade what they
# have, and the donated array is an empty one. It keeps the result, and so the memory, alive: there
# may be views of it.
DONATE = """
define internal i1 @may_take(ptr %objects, i64 %n_in, ptr %x, i64 %references) {
entry:
  %count = field i32 %x, 0
  %count64 = sext i32 %count to i64
  %few = icmp sle i64 %count64, %references
  %flags = field i32 %x, ${array_flags}
  %own = and i32 %flags, 1028
  %owned = icmp eq i32 %own, 1028
  %base = field ptr %x, ${array_base}
  %whole = icmp eq ptr %base, null
  %a = and i1 %few, %owned
  %b = and i1 %a, %whole
  br i1 %b, label %head, label %no
head:  ; is another input a view of it?
  %i = phi i64 [0, %entry], [%next, %step]
  %more = icmp ult i64 %i, %n_in
  br i1 %more, label %other, label %yes
other:
  %at = getelementptr ptr, ptr %objects, i64 %i
  %y = load ptr, ptr %at
  %its_base = field ptr %y, ${array_base}
  %view = icmp eq ptr %its_base, %x
  br i1 %view, label %no, label %step
step:
  %next = add i64 %i, 1
  br label %head
yes:
  ret i1 true
no:
  ret i1 false
}

define internal void @exchange(ptr %x, ptr %y, i64 %offset) {
  %at_x = getelementptr i8, ptr %x, i64 %offset
  %at_y = getelementptr i8, ptr %y, i64 %offset
  %a = load i64, ptr %at_x
  %b = load i64, ptr %at_y
  store i64 %b, ptr %at_x
  store i64 %a, ptr %at_y
  ret void
}

define internal i1 @hand_over(ptr %g, ptr %block, ptr %objects, ptr %donated, i64 %n_in) {
entry:
  %none = icmp eq ptr %donated, null
  br i1 %none, label %done, label %start
start:
  %array = field ptr %g, ${g_array}
  %zeros = field ptr %g, ${g_zeros}
  %n_out = field i64 %block, ${block_outputs}
  %records = field ptr %block, ${block_records}
  %results = getelementptr ptr, ptr %objects, i64 %n_in
  br label %head
head:
  %i = phi i64 [0, %start], [%next, %step]
  %more = icmp ult i64 %i, %n_out
  br i1 %more, label %one, label %done
one:
  %offset = mul i64 %i, ${donated_bytes}
  %d = getelementptr i8, ptr %donated, i64 %offset
  %position = field i64 %d, ${donated_input}
  %free = icmp eq i64 %position, 0
  br i1 %free, label %step, label %compare
compare:
  %index = sub i64 %position, 1
  %x_at = getelementptr ptr, ptr %objects, i64 %index
  %x = load ptr, ptr %x_at
  %result_at = getelementptr ptr, ptr %results, i64 %i
  %result = load ptr, ptr %result_at
  %taken = icmp eq ptr %x, %result
  br i1 %taken, label %shell, label %step
shell:
  %r_offset = mul i64 %i, ${out_bytes}
  %r = getelementptr i8, ptr %records, i64 %r_offset
  %descr = field ptr %r, ${out_descr}
  %ndim64 = field i64 %r, ${out_ndim}
  %ndim = trunc i64 %ndim64 to i32
  call void @Py_IncRef(ptr %descr)
  %y = call ptr @PyArray_NewFromDescr(ptr %array, ptr %descr, i32 %ndim, ptr %zeros, ptr null,
                                      ptr null, i32 0, ptr null)
  %failed = icmp eq ptr %y, null
  br i1 %failed, label %no, label %trade
trade:
  call void @exchange(ptr %x, ptr %y, i64 ${array_data})
  call void @exchange(ptr %x, ptr %y, i64 ${array_dims})
  call void @exchange(ptr %x, ptr %y, i64 ${array_strides})
  call void @exchange(ptr %x, ptr %y, i64 ${array_flags})
  call void @exchange(ptr %x, ptr %y, i64 ${array_handler})
  call void @Py_IncRef(ptr %y)
  set ptr %y, %x, ${array_base}
  store ptr %y, ptr %result_at
  call void @Py_DecRef(ptr %x)
  br label %step
step:
  %next = add i64 %i, 1
  br label %head
done:
  ret i1 true
no:
  ret i1 false
}
"""

# Runs a program: `objects` holds its inputs, and then also new arrays of its results.
RUN = """
define internal i1 @run(ptr %block, ptr %objects, ptr %donated) {
entry:
  %g = field ptr %block, ${block_globals}
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
  %all_new = icmp eq ptr %donated, null
  br i1 %all_new, label %new, label %look
look:
  %d_offset = mul i64 %i, ${donated_bytes}
  %d = getelementptr i8, ptr %donated, i64 %d_offset
  %position = field i64 %d, ${donated_input}
  %for_none = icmp eq i64 %position, 0
  br i1 %for_none, label %new, label %offered
offered:
  %index = sub i64 %position, 1
  %given_at = getelementptr ptr, ptr %objects, i64 %index
  %given = load ptr, ptr %given_at
  %references = field i64 %d, ${donated_references}
  %free_to_take = call i1 @may_take(ptr %objects, i64 %n_in, ptr %given, i64 %references)
  br i1 %free_to_take, label %take, label %new
take:
  call void @Py_IncRef(ptr %given)
  br label %made
new:
  %large = field i64 %r, ${out_large}
  %usual = icmp eq i64 %large, 0
  br i1 %usual, label %small, label %recycled
small:
  %fresh = call ptr @new_array(ptr %g, ptr %r)
  br label %check
recycled:
  %handler = field ptr %g, ${g_handler}
  %before = call ptr @PyDataMem_SetHandler(ptr %handler)
  %unset = icmp eq ptr %before, null
  br i1 %unset, label %no_memory, label %reuse
reuse:
  %reused = call ptr @new_array(ptr %g, ptr %r)
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
  %result = phi ptr [%x, %check], [%given, %take]
  %at = getelementptr ptr, ptr %results, i64 %i
  store ptr %result, ptr %at
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
  %handed = call i1 @hand_over(ptr %g, ptr %block, ptr %objects, ptr %donated, i64 %n_in)
  br i1 %handed, label %over, label %unlucky
unlucky:
  call void @release(ptr %results, i64 %n_out)
  ret i1 false
over:
  ret i1 true
}

; Made as an ndarray, which then changes its class: NumPy does more for a subclass.
define internal ptr @new_array(ptr %g, ptr %record) {
  %array = field ptr %g, ${g_array}
  %made_as = field ptr %g, ${g_made_as}
  %descr = field ptr %record, ${out_descr}
  %ndim64 = field i64 %record, ${out_ndim}
  %dims = field ptr %record, ${out_dims}
  %ndim = trunc i64 %ndim64 to i32
  call void @Py_IncRef(ptr %descr)
  %x = call ptr @PyArray_NewFromDescr(ptr %made_as, ptr %descr, i32 %ndim, ptr %dims, ptr null,
                                      ptr null, i32 0, ptr null)
  %none = icmp eq ptr %x, null
  %right = icmp eq ptr %made_as, %array
  %leave = or i1 %none, %right
  br i1 %leave, label %done, label %turn
turn:
  call void @Py_IncRef(ptr %array)
  set ptr %array, %x, 8
  br label %done
done:
  ret ptr %x
}
"""
