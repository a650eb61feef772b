/* OpenMP, as gcc has it. */

#include <omp.h>

#include "peer.h"

void peer_threads(int threads) { omp_set_num_threads(threads); }

static uint64_t fib(uint32_t n) {
    if (n < 2)
        return n;
    uint64_t a, b;
#pragma omp task shared(a) firstprivate(n)
    a = fib(n - 1);
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

uint64_t peer_fib(uint32_t n) {
    uint64_t result;
#pragma omp parallel
#pragma omp single
    result = fib(n);
    return result;
}

static uint64_t sum(const struct node *node) {
    if (!node)
        return 0;
    uint64_t left, right;
#pragma omp task shared(left) firstprivate(node)
    left = sum(node->left);
    right = sum(node->right);
#pragma omp taskwait
    return node->value + left + right;
}

uint64_t peer_tree(const struct node *root) {
    uint64_t result;
#pragma omp parallel
#pragma omp single
    result = sum(root);
    return result;
}

void peer_spawn_producer(uint32_t *places, size_t count) {
#pragma omp parallel
#pragma omp single
    for (size_t i = 0; i < count; i++) {
#pragma omp task firstprivate(i)
        places[i] = i + 1;
    }
}

static void fill(uint32_t *places, size_t count, uint32_t first) {
    if (count == 0)
        return;
    places[0] = first;
    size_t left = (count - 1) / 2, right = count - 1 - left;
#pragma omp task firstprivate(places, left, first) if (left > 0)
    fill(places + 1, left, first + 1);
#pragma omp task firstprivate(places, left, right, first) if (right > 0)
    fill(places + 1 + left, right, first + 1 + left);
}

void peer_spawn_recursive(uint32_t *places, size_t count) {
#pragma omp parallel
#pragma omp single
    fill(places, count, 1);
}

void peer_increment(uint32_t *numbers, size_t count) {
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < count; i++)
        numbers[i] += 1;
}

void peer_launch(uint64_t *places, size_t stride, size_t count) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++)
        places[i * stride] += 1;
}

uint64_t peer_irregular(const uint32_t *lengths, size_t count) {
    uint64_t sum = 0;
#pragma omp parallel for schedule(dynamic, 1) reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += churn(i + 1, lengths[i]);
    return sum;
}

void *peer_graph_new(const struct dag *dag) { return (void *)dag; }

void peer_graph_run(void *graph) {
    const struct dag *dag = graph;
    uint32_t *ways = dag->ways;
#pragma omp parallel
#pragma omp single
    for (uint32_t i = 0; i < dag->nodes; i++) {
        const uint32_t *row = dag->predecessors + dag->starts[i];
        uint32_t count = dag->starts[i + 1] - dag->starts[i];
#pragma omp task firstprivate(i) depend(iterator(j = 0 : count), in : ways[row[j]]) \
    depend(out : ways[i])
        visit(dag, i);
    }
}

void peer_stencil(const struct stencil *s) {
    uint64_t *now = s->now, *next = s->next;
    for (uint32_t step = 0; step < s->steps; step++) {
#pragma omp parallel for schedule(static)
        for (size_t at = 0; at < s->width; at++)
            stencil_task(s, now, next, at);
        uint64_t *last = now;
        now = next;
        next = last;
    }
}
