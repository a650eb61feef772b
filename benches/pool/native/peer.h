/* What a peer written in C or C++ may offer. What it lacks is not measured of it.

   Each function does the work of the contender of the same name in src/bench, by as many threads
   as `peer_threads` said last, the calling one included where it takes part. */

#ifndef PEER_H
#define PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* evenkeel::bench::tree::Node */
struct node {
    uint64_t value;
    const struct node *left, *right;
};

/* evenkeel::bench::graph::Dag: the predecessors of node i are those from starts[i] to
   starts[i + 1]. */
struct dag {
    uint32_t nodes;
    const uint32_t *starts, *predecessors, *before;
    uint32_t *ways;
};

/* evenkeel::bench::metg::Stencil: a cell is the first of `stride` numbers. After an odd number of
   steps the result is in `next`. */
struct stencil {
    uint64_t *now, *next;
    size_t stride, width;
    uint32_t steps, length;
};

void peer_threads(int threads);
uint64_t peer_fib(uint32_t n);
uint64_t peer_tree(const struct node *root);
void peer_spawn_producer(uint32_t *places, size_t count);
void peer_spawn_recursive(uint32_t *places, size_t count);
void peer_increment(uint32_t *numbers, size_t count);
void peer_launch(uint64_t *places, size_t stride, size_t count);
uint64_t peer_irregular(const uint32_t *lengths, size_t count);
void *peer_graph_new(const struct dag *dag);
void peer_graph_run(void *graph);
void peer_stencil(const struct stencil *stencil);
/* Has `task` run some time later, by threads that do not include the caller's. */
void peer_submit(void (*task)(const void *, uint32_t), const void *to, uint32_t number);

#ifdef __cplusplus
}
#endif

/* evenkeel::bench::churn */
static inline uint64_t churn(uint64_t x, uint32_t rounds) {
    for (uint32_t i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return x;
}

/* What a node of a graph does. */
static inline void visit(const struct dag *dag, uint32_t node) {
    dag->ways[node] = dag->ways[dag->before[node]] + 1;
}

static inline uint64_t rotated(uint64_t x, int by) { return x << by | x >> (64 - by); }

/* What the task at place `at` of a stencil does. */
static inline void stencil_task(const struct stencil *s, const uint64_t *now, uint64_t *next,
                                size_t at) {
    uint64_t left = at > 0 ? now[(at - 1) * s->stride] : 0;
    uint64_t right = at + 1 < s->width ? now[(at + 1) * s->stride] : 0;
    uint64_t own = now[at * s->stride];
    next[at * s->stride] = churn(own ^ rotated(left, 1) ^ rotated(right, 2), s->length);
}

#endif
