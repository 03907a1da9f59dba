// The stress on libtorch: C++ threads, so no interpreter lock, a stream of its pool for each.
//
// Built against the headers and libraries of the installed torch wheel by cuda.py. `serve` reads lines SIZE THREADS SECONDS SYNC_EVERY and answers each with one of JSON. Nothing is read.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/torch.h>

namespace {

using Clock = std::chrono::steady_clock;

void iterate(int n, const torch::TensorOptions &options) {
    const auto a = torch::randn({n, n}, options);
    const auto b = torch::randn({n, n}, options);
    const auto product = a.matmul(b);
    const auto sum = product.sum();
    const auto mean = product.mean();
}

double run(int n, int threads, double seconds, int sync_every) {
    const auto options = torch::TensorOptions().device(torch::kCUDA).dtype(torch::kFloat32);
    std::atomic<int> ready{0};
    std::atomic<bool> go{false};
    std::atomic<long> iterations{0};
    std::vector<Clock::time_point> ends(threads);
    Clock::time_point begun, until;
    std::vector<std::thread> team;
    for (int t = 0; t < threads; ++t)
        team.emplace_back([&, t] {
            c10::InferenceMode inference;
            const auto stream = c10::cuda::getStreamFromPool(false, 0);
            c10::cuda::CUDAStreamGuard guard(stream);
            for (int i = 0; i < sync_every; ++i) iterate(n, options);
            stream.synchronize();
            ++ready;
            while (!go) std::this_thread::yield();
            long done = 0;
            while (Clock::now() < until) {
                for (int i = 0; i < sync_every; ++i, ++done) iterate(n, options);
                stream.synchronize();
            }
            ends[t] = Clock::now();
            iterations += done;
        });
    while (ready < threads) std::this_thread::yield();
    begun = Clock::now();
    until = begun + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    go = true;
    for (auto &thread : team) thread.join();
    auto last = begun;
    for (auto end : ends) last = end > last ? end : last;
    return iterations / std::chrono::duration<double>(last - begun).count();
}

}  // namespace

// TF32 is off by default.
int main() {
    int n, threads, sync_every;
    double seconds;
    while (std::scanf("%d %d %lf %d", &n, &threads, &seconds, &sync_every) == 4) {
        std::printf("{\"iterations_per_second\": %.1f}\n", run(n, threads, seconds, sync_every));
        std::fflush(stdout);
    }
}
