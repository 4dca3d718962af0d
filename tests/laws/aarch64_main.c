/* Runs programs on aarch64: what the driver of a program takes, made of what stands on stdin.

A case is a header, its objects, functions and integers; its answer a status and its outputs. Each
runs in a process of its own, so that one that crashes answers with its signal. `table`, which is
linked to this, holds the address of every driver, kernel and job. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern void *const table[];

enum { NONE, TABLE, OBJECT, PARALLEL_FOR, GUARD = 64, OVERRUN = 1000 };

typedef struct { uint64_t driver, arena, objects, functions, integers; } Case;
typedef struct { uint64_t bytes, output; } Object;
typedef struct { uint64_t kind, number; } Function;
typedef struct { uint64_t count, type; void *data; } Array; /* the start of NumPy's array object */
typedef void Job(void *args, int64_t begin, int64_t end);

static void parallel_for(void *pool, Job *job, void *args, int64_t n, int64_t grain) {
  (void)pool;
  for (int64_t begin = 0; begin < n; begin += grain)
    job(args, begin, begin + grain < n ? begin + grain : n);
}

static void take(void *into, size_t size, size_t count) {
  if (fread(into, size, count, stdin) != count) exit(3);
}

static char *shared(size_t bytes) { /* that a child writes and its parent reads */
  char *at = mmap(0, bytes + GUARD, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) exit(4);
  memset(at + bytes, 0x5A, GUARD);
  return at;
}

int main(void) {
  Case c;
  while (fread(&c, sizeof c, 1, stdin) == 1) {
    Object objects[c.objects + 1];
    Array arrays[c.objects + 1];
    void *places[c.objects + 1], *functions[c.functions + 1];
    int64_t integers[c.integers + 1];
    take(objects, sizeof *objects, c.objects);
    for (uint64_t k = 0; k < c.objects; k++) {
      places[k] = &arrays[k];
      arrays[k].data = shared(objects[k].bytes);
      if (!objects[k].output) take(arrays[k].data, 1, objects[k].bytes);
    }
    for (uint64_t k = 0; k < c.functions; k++) {
      Function f;
      take(&f, sizeof f, 1);
      functions[k] = f.kind == TABLE          ? table[f.number]
                     : f.kind == OBJECT       ? arrays[f.number].data
                     : f.kind == PARALLEL_FOR ? (void *)parallel_for
                                              : 0;
    }
    take(integers, sizeof *integers, c.integers);
    char *arena = shared(c.arena);
    int status;
    pid_t child = fork();
    if (child == 0) {
      int (*driver)(void *, void *, void *, void *) = table[c.driver];
      _exit(driver(places, arena, functions, integers));
    }
    if (child < 0 || waitpid(child, &status, 0) < 0) exit(5);
    int64_t answer = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    char guard[GUARD];
    memset(guard, 0x5A, GUARD);
    for (uint64_t k = 0; k < c.objects; k++)
      if (memcmp((char *)arrays[k].data + objects[k].bytes, guard, GUARD)) answer = OVERRUN;
    if (memcmp(arena + c.arena, guard, GUARD)) answer = OVERRUN;
    fwrite(&answer, sizeof answer, 1, stdout);
    for (uint64_t k = 0; k < c.objects; k++) {
      if (objects[k].output) fwrite(arrays[k].data, 1, objects[k].bytes, stdout);
      munmap(arrays[k].data, objects[k].bytes + GUARD);
    }
    munmap(arena, c.arena + GUARD);
  }
  return 0;
}
