// The stress without a library around it: CUDA C++, buffers allocated before, a stream for each thread. What an eager program can reach.
//
//     nvcc -O3 -std=c++17 -arch=native handwritten.cu -o handwritten -lcublas
//
// `handwritten describe` prints what it was built with; `handwritten serve` reads lines SIZE THREADS SECONDS SYNC_EVERY own|cublas and answers each with one of JSON. An iteration draws two
// SIZE x SIZE matrices of normal numbers (Philox4x32-10, Box-Muller), multiplies them in f32, and takes the sum and the mean of the product; nothing is read. SIZE is a multiple of 32, above 256 of 128.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <cublas_v2.h>
#include <cuda_runtime.h>

namespace {

template <class Code>
void check(Code code, const char *what) {
    if (static_cast<int>(code) != 0) {
        std::fprintf(stderr, "%s failed with %d\n", what, static_cast<int>(code));
        std::exit(1);
    }
}

#define CHECK(call) check(call, #call)

// A counter of the generator and its key to four random words.
__device__ uint4 philox(uint64_t counter, uint64_t sequence, uint64_t seed) {
    uint32_t x0 = static_cast<uint32_t>(counter), x1 = static_cast<uint32_t>(counter >> 32);
    uint32_t x2 = static_cast<uint32_t>(sequence), x3 = static_cast<uint32_t>(sequence >> 32);
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const uint64_t a = 0xD2511F53ull * x0, b = 0xCD9E8D57ull * x2;
        const uint32_t y0 = static_cast<uint32_t>(b >> 32) ^ x1 ^ k0, y2 = static_cast<uint32_t>(a >> 32) ^ x3 ^ k1;
        x1 = static_cast<uint32_t>(b);
        x3 = static_cast<uint32_t>(a);
        x0 = y0;
        x2 = y2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return make_uint4(x0, x1, x2, x3);
}

__device__ float2 normal_pair(uint32_t first, uint32_t second) {
    const float unit = 1.0f / 4294967296.0f;
    const float radius = sqrtf(-2.0f * __logf((first + 0.5f) * unit));
    float sine, cosine;
    __sincosf(6.28318531f * second * unit, &sine, &cosine);
    return make_float2(radius * cosine, radius * sine);
}

__global__ void randn(float4 *out, int quads, uint64_t seed, uint64_t sequence) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < quads) {
        const uint4 words = philox(at, sequence, seed);
        const float2 a = normal_pair(words.x, words.y), b = normal_pair(words.z, words.w);
        out[at] = make_float4(a.x, a.y, b.x, b.y);
    }
}

// C = A B, row-major. A block computes a TILE x TILE piece, each of its threads ROWS x COLUMNS elements.
template <int TILE, int DEPTH, int ROWS, int COLUMNS>
__global__ void __launch_bounds__((TILE / ROWS) * (TILE / COLUMNS)) product(const float *a, const float *b, float *c, int n) {
    constexpr int ACROSS = TILE / COLUMNS, THREADS = (TILE / ROWS) * ACROSS;
    __shared__ float left[DEPTH][TILE + 4], right[DEPTH][TILE];
    const int row = threadIdx.x / ACROSS * ROWS, column = threadIdx.x % ACROSS * COLUMNS;
    const float *from_a = a + static_cast<size_t>(blockIdx.y) * TILE * n, *from_b = b + blockIdx.x * TILE;
    float sums[ROWS][COLUMNS] = {};
    for (int k = 0; k < n; k += DEPTH) {
        for (int i = threadIdx.x; i < TILE * DEPTH / 4; i += THREADS) {
            const int r = i / (DEPTH / 4), q = i % (DEPTH / 4) * 4;
            const float4 four = *reinterpret_cast<const float4 *>(from_a + static_cast<size_t>(r) * n + k + q);
            left[q][r] = four.x;
            left[q + 1][r] = four.y;
            left[q + 2][r] = four.z;
            left[q + 3][r] = four.w;
        }
        for (int i = threadIdx.x; i < DEPTH * TILE / 4; i += THREADS) {
            const int r = i / (TILE / 4), q = i % (TILE / 4) * 4;
            *reinterpret_cast<float4 *>(&right[r][q]) =
                *reinterpret_cast<const float4 *>(from_b + static_cast<size_t>(k + r) * n + q);
        }
        __syncthreads();
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            float x[ROWS], y[COLUMNS];
#pragma unroll
            for (int r = 0; r < ROWS; ++r) x[r] = left[d][row + r];
#pragma unroll
            for (int q = 0; q < COLUMNS; ++q) y[q] = right[d][column + q];
#pragma unroll
            for (int r = 0; r < ROWS; ++r)
#pragma unroll
                for (int q = 0; q < COLUMNS; ++q) sums[r][q] += x[r] * y[q];
        }
        __syncthreads();
    }
    for (int r = 0; r < ROWS; ++r)
        for (int q = 0; q < COLUMNS; ++q)
            c[static_cast<size_t>(blockIdx.y * TILE + row + r) * n + blockIdx.x * TILE + column + q] = sums[r][q];
}

__device__ float sum_of_block(float value) {
    __shared__ float of_warps[32];
    for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(~0u, value, step);
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
    __syncthreads();
    value = threadIdx.x < blockDim.x / 32 ? of_warps[threadIdx.x] : 0.0f;
    if (threadIdx.x < 32)
        for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(~0u, value, step);
    return value;
}

constexpr int PARTIALS = 256;

// The sum of all elements times `scale`, in one launch: the block that comes last adds up the others' sums.
__global__ void reduce(const float4 *x, int quads, float scale, float *partials, unsigned *arrived, float *out) {
    float value = 0.0f;
    for (int at = blockIdx.x * blockDim.x + threadIdx.x; at < quads; at += gridDim.x * blockDim.x) {
        const float4 four = x[at];
        value += (four.x + four.y) + (four.z + four.w);
    }
    value = sum_of_block(value);
    __shared__ bool last;
    if (threadIdx.x == 0) {
        partials[blockIdx.x] = value;
        __threadfence();
        last = atomicInc(arrived, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (last) {
        __threadfence();
        const volatile float *all = partials;
        value = sum_of_block(threadIdx.x < gridDim.x ? all[threadIdx.x] : 0.0f);
        if (threadIdx.x == 0) *out = value * scale;
    }
}

constexpr size_t WORKSPACE = 32 << 20;

// What a thread has.
struct Place {
    cudaStream_t stream;
    cublasHandle_t handle = nullptr;
    float *a, *b, *c, *partials, *out;
    unsigned *arrived;
    void *workspace = nullptr;

    Place(int n, bool own) {
        const size_t bytes = sizeof(float) * n * n;
        CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
        if (!own) {
            CHECK(cublasCreate(&handle));
            CHECK(cublasSetStream(handle, stream));
            CHECK(cudaMalloc(&workspace, WORKSPACE));
            CHECK(cublasSetWorkspace(handle, workspace, WORKSPACE));
        }
        for (float **matrix : {&a, &b, &c}) CHECK(cudaMalloc(matrix, bytes));
        CHECK(cudaMalloc(&partials, sizeof(float) * PARTIALS));
        CHECK(cudaMalloc(&out, sizeof(float) * 2));
        CHECK(cudaMalloc(&arrived, sizeof(unsigned)));
        CHECK(cudaMemset(arrived, 0, sizeof(unsigned)));
        CHECK(cudaDeviceSynchronize());
    }

    void end() {
        if (handle != nullptr) CHECK(cublasDestroy(handle));
        CHECK(cudaStreamDestroy(stream));
        for (float *each : {a, b, c, partials, out}) CHECK(cudaFree(each));
        CHECK(cudaFree(arrived));
        CHECK(cudaFree(workspace));
    }

    void iterate(int n, bool own, uint64_t thread, uint64_t iteration) {
        const int quads = n * n / 4, blocks = (quads + 255) / 256;
        randn<<<blocks, 256, 0, stream>>>(reinterpret_cast<float4 *>(a), quads, thread, 2 * iteration);
        randn<<<blocks, 256, 0, stream>>>(reinterpret_cast<float4 *>(b), quads, thread, 2 * iteration + 1);
        if (!own) {
            const float one = 1.0f, zero = 0.0f;
            CHECK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, b, n, a, n, &zero, c, n));
        } else if (n <= 256) {
            product<32, 32, 2, 4><<<dim3(n / 32, n / 32), 128, 0, stream>>>(a, b, c, n);
        } else {
            product<128, 16, 8, 8><<<dim3(n / 128, n / 128), 256, 0, stream>>>(a, b, c, n);
        }
        const auto *x = reinterpret_cast<const float4 *>(c);
        const int pieces = quads <= 4096 ? 1 : quads / 4096 < PARTIALS ? quads / 4096 : PARTIALS;
        reduce<<<pieces, 512, 0, stream>>>(x, quads, 1.0f, partials, arrived, out);
        reduce<<<pieces, 512, 0, stream>>>(x, quads, 1.0f / (static_cast<float>(n) * n), partials, arrived, out + 1);
        CHECK(cudaPeekAtLastError());
    }
};

using Clock = std::chrono::steady_clock;

double run(int n, int threads, double seconds, int sync_every, bool own) {
    std::vector<Place> places;
    for (int t = 0; t < threads; ++t) places.emplace_back(n, own);
    std::atomic<int> ready{0};
    std::atomic<bool> go{false};
    std::atomic<uint64_t> iterations{0};
    std::vector<Clock::time_point> ends(threads);
    Clock::time_point begun, until;
    std::vector<std::thread> team;
    for (int t = 0; t < threads; ++t)
        team.emplace_back([&, t] {
            Place &place = places[t];
            for (int i = 0; i < sync_every; ++i) place.iterate(n, own, t, i);
            CHECK(cudaStreamSynchronize(place.stream));
            ++ready;
            while (!go) std::this_thread::yield();
            uint64_t done = 0;
            while (Clock::now() < until) {
                for (int i = 0; i < sync_every; ++i) place.iterate(n, own, t, done++);
                CHECK(cudaStreamSynchronize(place.stream));
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
    for (auto &place : places) place.end();
    return iterations / std::chrono::duration<double>(last - begun).count();
}

}  // namespace

int main(int count, char **words) {
    if (count == 2 && std::strcmp(words[1], "describe") == 0) {
        std::printf("{\"cuda\": \"%d.%d\"}\n", CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
        return 0;
    }
    int n, threads, sync_every;
    double seconds;
    char which[16];
    while (std::scanf("%d %d %lf %d %15s", &n, &threads, &seconds, &sync_every, which) == 5) {
        std::printf("{\"iterations_per_second\": %.1f}\n", run(n, threads, seconds, sync_every, std::strcmp(which, "own") == 0));
        std::fflush(stdout);
    }
}
