// oneTBB.

#include <memory>
#include <utility>
#include <vector>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_invoke.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "peer.h"

namespace {

int threads = 1;

// Of several limits the least holds: the old one goes before the new one comes.
void allow(int all) {
    static std::unique_ptr<tbb::global_control> limit;
    static int allowed = 0;
    if (all == allowed)
        return;
    limit.reset();
    limit = std::make_unique<tbb::global_control>(
        tbb::global_control::max_allowed_parallelism, all);
    allowed = all;
}

uint64_t fib(uint32_t n) {
    if (n < 2)
        return n;
    uint64_t a, b;
    tbb::parallel_invoke([&] { a = fib(n - 1); }, [&] { b = fib(n - 2); });
    return a + b;
}

uint64_t sum(const node *node) {
    if (!node)
        return 0;
    uint64_t left, right;
    tbb::parallel_invoke([&] { left = sum(node->left); }, [&] { right = sum(node->right); });
    return node->value + left + right;
}

void fill(tbb::task_group &tasks, uint32_t *places, size_t count, uint32_t first) {
    if (count == 0)
        return;
    places[0] = first;
    size_t left = (count - 1) / 2, right = count - 1 - left;
    if (left > 0)
        tasks.run([=, &tasks] { fill(tasks, places + 1, left, first + 1); });
    if (right > 0)
        tasks.run([=, &tasks] { fill(tasks, places + 1 + left, right, first + 1 + left); });
}

using Node = tbb::flow::continue_node<tbb::flow::continue_msg>;

struct Graph {
    tbb::flow::graph graph;
    std::vector<std::unique_ptr<Node>> nodes;
    std::vector<Node *> roots;
};

} // namespace

void peer_threads(int count) { threads = count; }

uint64_t peer_fib(uint32_t n) {
    allow(threads);
    return fib(n);
}

uint64_t peer_tree(const node *root) {
    allow(threads);
    return sum(root);
}

void peer_spawn_producer(uint32_t *places, size_t count) {
    allow(threads);
    tbb::task_group tasks;
    for (size_t i = 0; i < count; i++)
        tasks.run([=] { places[i] = i + 1; });
    tasks.wait();
}

void peer_spawn_recursive(uint32_t *places, size_t count) {
    allow(threads);
    tbb::task_group tasks;
    fill(tasks, places, count, 1);
    tasks.wait();
}

void peer_increment(uint32_t *numbers, size_t count) {
    allow(threads);
    auto part = [=](const tbb::blocked_range<size_t> &range) {
        for (size_t i = range.begin(); i < range.end(); i++)
            numbers[i] += 1;
    };
    tbb::parallel_for(tbb::blocked_range<size_t>(0, count), part, tbb::static_partitioner());
}

void peer_launch(uint64_t *places, size_t stride, size_t count) {
    allow(threads);
    tbb::parallel_for(
        size_t(0), count, [=](size_t i) { places[i * stride] += 1; }, tbb::static_partitioner());
}

uint64_t peer_irregular(const uint32_t *lengths, size_t count) {
    allow(threads);
    auto part = [=](const tbb::blocked_range<size_t> &range, uint64_t sum) {
        for (size_t i = range.begin(); i < range.end(); i++)
            sum += churn(i + 1, lengths[i]);
        return sum;
    };
    return tbb::parallel_reduce(tbb::blocked_range<size_t>(0, count), uint64_t(0), part,
                                std::plus<uint64_t>());
}

void *peer_graph_new(const dag *dag) {
    allow(threads);
    auto graph = new Graph;
    for (uint32_t i = 0; i < dag->nodes; i++) {
        auto body = [=](const tbb::flow::continue_msg &) { visit(dag, i); };
        graph->nodes.push_back(std::make_unique<Node>(graph->graph, body));
    }
    for (uint32_t i = 0; i < dag->nodes; i++) {
        if (dag->starts[i] == dag->starts[i + 1])
            graph->roots.push_back(graph->nodes[i].get());
        for (uint32_t at = dag->starts[i]; at < dag->starts[i + 1]; at++)
            tbb::flow::make_edge(*graph->nodes[dag->predecessors[at]], *graph->nodes[i]);
    }
    return graph;
}

void peer_graph_run(void *built) {
    allow(threads);
    auto graph = static_cast<Graph *>(built);
    for (auto root : graph->roots)
        root->try_put(tbb::flow::continue_msg());
    graph->graph.wait_for_all();
}

void peer_stencil(const stencil *s) {
    allow(threads);
    uint64_t *now = s->now, *next = s->next;
    for (uint32_t step = 0; step < s->steps; step++) {
        tbb::parallel_for(
            size_t(0), s->width, [=](size_t at) { stencil_task(s, now, next, at); },
            tbb::static_partitioner());
        std::swap(now, next);
    }
}

void peer_submit(void (*task)(const void *, uint32_t), const void *to, uint32_t number) {
    // The caller is a thread more, and the arena has no place for it.
    allow(threads + 1);
    static tbb::task_arena arena(threads, 0);
    arena.enqueue([=] { task(to, number); });
}
