"""LLVM text of native calls, the run: arrays of results, and the program that fills them."""

from __future__ import annotations

from fxla.compile.calls.array_text import BECOME_OURS

__all__ = ["DONATE", "RUN"]

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
RUN = (
    """
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
turn:"""
    + BECOME_OURS
    + """
  br label %done
done:
  ret ptr %x
}
"""
)
