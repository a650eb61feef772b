// Taskflow.

#include <memory>
#include <utility>
#include <vector>

#include <taskflow/algorithm/for_each.hpp>
#include <taskflow/taskflow.hpp>

#include "peer.h"

namespace {

std::unique_ptr<tf::Executor> executor;

uint64_t fib(uint32_t n) {
    if (n < 2)
        return n;
    uint64_t a, b;
    tf::TaskGroup tasks = executor->task_group();
    tasks.silent_async([n, &a] { a = fib(n - 1); });
    b = fib(n - 2);
    tasks.corun();
    return a + b;
}

uint64_t sum(const node *node) {
    if (!node)
        return 0;
    uint64_t left, right;
    tf::TaskGroup tasks = executor->task_group();
    tasks.silent_async([node, &left] { left = sum(node->left); });
    right = sum(node->right);
    tasks.corun();
    return node->value + left + right;
}

void fill(uint32_t *places, size_t count, uint32_t first) {
    if (count == 0)
        return;
    places[0] = first;
    size_t left = (count - 1) / 2, right = count - 1 - left;
    if (left > 0)
        executor->silent_async([=] { fill(places + 1, left, first + 1); });
    if (right > 0)
        executor->silent_async([=] { fill(places + 1 + left, right, first + 1 + left); });
}

// A loop is a graph that is built once for the same arguments and then run again and again.
template <typename Key, typename Build> void run_built(Key key, Build build) {
    static Key last;
    static std::unique_ptr<tf::Taskflow> flow;
    if (!flow || last != key) {
        flow = std::make_unique<tf::Taskflow>();
        build(*flow);
        last = key;
    }
    executor->run(*flow).wait();
}

} // namespace

void peer_threads(int threads) {
    if (executor && executor->num_workers() == size_t(threads))
        return;
    executor.reset();
    executor = std::make_unique<tf::Executor>(threads);
}

uint64_t peer_fib(uint32_t n) {
    return executor->async([=] { return fib(n); }).get();
}

uint64_t peer_tree(const node *root) {
    return executor->async([=] { return sum(root); }).get();
}

void peer_spawn_producer(uint32_t *places, size_t count) {
    auto produce = [=] {
        tf::TaskGroup tasks = executor->task_group();
        for (size_t i = 0; i < count; i++)
            tasks.silent_async([=] { places[i] = i + 1; });
        tasks.corun();
    };
    executor->async(produce).get();
}

void peer_spawn_recursive(uint32_t *places, size_t count) {
    executor->silent_async([=] { fill(places, count, 1); });
    executor->wait_for_all();
}

void peer_increment(uint32_t *numbers, size_t count) {
    run_built(std::pair(numbers, count), [=](tf::Taskflow &flow) {
        flow.for_each_index(
            size_t(0), count, size_t(1), [=](size_t i) { numbers[i] += 1; },
            tf::StaticPartitioner());
    });
}

void peer_launch(uint64_t *places, size_t stride, size_t count) {
    run_built(std::pair(places, count), [=](tf::Taskflow &flow) {
        flow.for_each_index(
            size_t(0), count, size_t(1), [=](size_t i) { places[i * stride] += 1; },
            tf::StaticPartitioner());
    });
}

uint64_t peer_irregular(const uint32_t *lengths, size_t count) {
    static std::vector<uint64_t> results;
    results.resize(count);
    run_built(std::pair(lengths, count), [=](tf::Taskflow &flow) {
        flow.for_each_index(
            size_t(0), count, size_t(1), [=](size_t i) { results[i] = churn(i + 1, lengths[i]); },
            tf::DynamicPartitioner());
    });
    uint64_t sum = 0;
    for (uint64_t result : results)
        sum += result;
    return sum;
}

void *peer_graph_new(const dag *dag) {
    auto flow = new tf::Taskflow;
    std::vector<tf::Task> nodes;
    for (uint32_t i = 0; i < dag->nodes; i++)
        nodes.push_back(flow->emplace([=] { visit(dag, i); }));
    for (uint32_t i = 0; i < dag->nodes; i++)
        for (uint32_t at = dag->starts[i]; at < dag->starts[i + 1]; at++)
            nodes[dag->predecessors[at]].precede(nodes[i]);
    return flow;
}

void peer_graph_run(void *graph) { executor->run(*static_cast<tf::Taskflow *>(graph)).wait(); }

// The steps are a loop within the graph.
void peer_stencil(const stencil *s) {
    tf::Taskflow flow;
    uint64_t *now = s->now, *next = s->next;
    uint32_t left = s->steps;
    auto first = flow.emplace([] {});
    auto begin = flow.emplace([&] { return left > 0 ? 0 : 1; });
    auto fork = flow.emplace([] {});
    auto join = flow.emplace([&] {
        std::swap(now, next);
        left--;
        return 0;
    });
    auto end = flow.emplace([] {});
    first.precede(begin);
    begin.precede(fork, end);
    for (size_t at = 0; at < s->width; at++) {
        auto task = flow.emplace([&, at] { stencil_task(s, now, next, at); });
        fork.precede(task);
        task.precede(join);
    }
    join.precede(begin);
    executor->run(flow).wait();
}

void peer_submit(void (*task)(const void *, uint32_t), const void *to, uint32_t number) {
    executor->silent_async([=] { task(to, number); });
}
