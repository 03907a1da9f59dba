// Matrix products. Whatever the tile, each result is one sum over k from 0 on by fused multiply-adds, with zeros where a tile reaches beyond k:
// so neither the tile nor how the operands lie changes a bit. Never split along k. Which tile is taken follows from the shape, on the host.

struct Matmul {
    void* out;
    const void* a;
    const void* b;
    u64 batch;
    u32 m, n, k;
    u32 columns; // tiles side by side
    u32 a_row, a_col, b_row, b_col; // strides
    u32 batch_dims;
    u32 a_along_m; // whether neighbours of a column of `a` lie side by side: how tiles are read
    u32 b_along_k;
    u32 unused;
    u32 sizes[6];
    u32 a_batch[6];
    u32 b_batch[6];
};

static_assert(sizeof(Matmul) == 152, "as on the host");

DEVICE void batch_offsets(const Matmul& x, u64 batch, u64& a, u64& b) {
    a = b = 0;
    for (int axis = (int)x.batch_dims - 1; axis >= 0; axis--) {
        u64 up = batch / x.sizes[axis], here = batch - up * x.sizes[axis];
        a += here * x.a_batch[axis];
        b += here * x.b_batch[axis];
        batch = up;
    }
}

template <int Q> struct Vector;
template <> struct Vector<2> { typedef float2 T; };
template <> struct Vector<4> { typedef float4 T; };

// f32, tiles of BM x BN of which each thread has TM x TN results in parts of up to four by four, BK steps of k at once, two buffers. With
// EDGE the operands may lie in any way and end anywhere; without it they are row-major, aligned to 16 bytes and whole tiles.
template <int BM, int BN, int BK, int TM, int TN, bool EDGE> DEVICE void product(const Matmul& x) {
    constexpr int NT = (BM / TM) * (BN / TN);
    constexpr int LR = 4, LC = 8; // lanes of a warp
    constexpr int WM = LR * TM, WN = LC * TN;
    constexpr int QM = TM < 4 ? TM : 4, QN = TN < 4 ? TN : 4;
    constexpr int AF = BM * BK / NT, BF = BK * BN / NT; // elements that a thread brings
    static_assert(AF % 4 == 0 && BF % 4 == 0 && TN >= 4, "whole vectors");
    static_assert(NT % (BK / 4) == 0 && NT % (BN / 4) == 0, "a thread keeps its column");
    __shared__ __align__(16) float As[2][BK][BM + 4];
    __shared__ __align__(16) float Bs[2][BK][BN + 4];

    const int t = threadIdx.x, lane = t % 32, warp = t / 32;
    const int row0 = warp / (BN / WN) * WM + lane / LC * QM, col0 = warp % (BN / WN) * WN + lane % LC * QN;
    const u64 m0 = (u64)(blockIdx.x / x.columns) * BM, n0 = (u64)(blockIdx.x % x.columns) * BN;

    // Without edges there is a block for every product.
    for (u64 batch = blockIdx.y; batch < x.batch; batch += EDGE ? gridDim.y : x.batch) {
        u64 a_at, b_at;
        batch_offsets(x, batch, a_at, b_at);
        const float* a = (const float*)x.a + a_at;
        const float* b = (const float*)x.b + b_at;
        if (!EDGE) {
            // To the thread's first vector; both move on with k.
            a += (m0 + t / (BK / 4)) * x.a_row + t % (BK / 4) * 4;
            b += (u64)(t / (BN / 4)) * x.b_row + n0 + t % (BN / 4) * 4;
        }
        float acc[TM][TN] = {};
        float ar[AF], br[BF];

        auto fetch = [&](u32 k0) {
            if (!EDGE) {
                #pragma unroll
                for (int v = 0; v < AF / 4; v++)
                    *(float4*)&ar[4 * v] = *(const float4*)(a + (u64)(v * (NT / (BK / 4))) * x.a_row);
                #pragma unroll
                for (int v = 0; v < BF / 4; v++)
                    *(float4*)&br[4 * v] = *(const float4*)(b + (u64)(v * (NT / (BN / 4))) * x.b_row);
                a += BK;
                b += (u64)BK * x.b_row;
            } else {
                #pragma unroll
                for (int v = 0; v < AF; v++) {
                    int at = t + v * NT, r = x.a_along_m ? at % BM : at / BK, c = x.a_along_m ? at / BM : at % BK;
                    bool inside = m0 + r < x.m && k0 + c < x.k;
                    ar[v] = inside ? a[(m0 + r) * x.a_row + (u64)(k0 + c) * x.a_col] : 0.0f;
                }
                #pragma unroll
                for (int v = 0; v < BF; v++) {
                    int at = t + v * NT, r = x.b_along_k ? at % BK : at / BN, c = x.b_along_k ? at / BK : at % BN;
                    bool inside = k0 + r < x.k && n0 + c < x.n;
                    br[v] = inside ? b[(u64)(k0 + r) * x.b_row + (n0 + c) * x.b_col] : 0.0f;
                }
            }
        };
        auto keep = [&](int buffer) {
            if (!EDGE) {
                #pragma unroll
                for (int v = 0; v < AF / 4; v++) {
                    int at = t + v * NT, r = at / (BK / 4), c = at % (BK / 4) * 4;
                    #pragma unroll
                    for (int j = 0; j < 4; j++) As[buffer][c + j][r] = ar[4 * v + j];
                }
                #pragma unroll
                for (int v = 0; v < BF / 4; v++) {
                    int at = t + v * NT, r = at / (BN / 4), c = at % (BN / 4) * 4;
                    *(float4*)&Bs[buffer][r][c] = *(float4*)&br[4 * v];
                }
            } else {
                #pragma unroll
                for (int v = 0; v < AF; v++) {
                    int at = t + v * NT, r = x.a_along_m ? at % BM : at / BK, c = x.a_along_m ? at / BM : at % BK;
                    As[buffer][c][r] = ar[v];
                }
                #pragma unroll
                for (int v = 0; v < BF; v++) {
                    int at = t + v * NT, r = x.b_along_k ? at % BK : at / BN, c = x.b_along_k ? at / BK : at % BN;
                    Bs[buffer][r][c] = br[v];
                }
            }
        };

        fetch(0);
        __syncthreads(); // the last product's readers are done
        keep(0);
        __syncthreads();
        int buffer = 0;
        for (u32 k0 = 0; k0 < x.k; k0 += BK) {
            bool more = k0 + BK < x.k;
            if (more) fetch(k0 + BK);
            #pragma unroll
            for (int k = 0; k < BK; k++) {
                float fa[TM], fb[TN];
                #pragma unroll
                for (int q = 0; q < TM / QM; q++)
                    *(typename Vector<QM>::T*)&fa[q * QM] =
                        *(const typename Vector<QM>::T*)&As[buffer][k][row0 + q * LR * QM];
                #pragma unroll
                for (int q = 0; q < TN / QN; q++)
                    *(typename Vector<QN>::T*)&fb[q * QN] =
                        *(const typename Vector<QN>::T*)&Bs[buffer][k][col0 + q * LC * QN];
                #pragma unroll
                for (int i = 0; i < TM; i++)
                    #pragma unroll
                    for (int j = 0; j < TN; j++) acc[i][j] = fmaf(fa[i], fb[j], acc[i][j]);
            }
            if (more) {
                keep(buffer ^ 1);
                __syncthreads();
                buffer ^= 1;
            }
        }

        float* out = (float*)x.out + batch * x.m * x.n;
        #pragma unroll
        for (int i = 0; i < TM; i++) {
            u64 r = m0 + row0 + i / QM * (LR * QM) + i % QM;
            #pragma unroll
            for (int q = 0; q < TN / QN; q++) {
                u64 c = n0 + col0 + q * LC * QN;
                if (!EDGE) {
                    *(float4*)(out + r * x.n + c) = *(float4*)&acc[i][q * QN];
                } else {
                    #pragma unroll
                    for (int j = 0; j < QN; j++)
                        if (r < x.m && c + j < x.n) out[r * x.n + c + j] = acc[i][q * QN + j];
                }
            }
        }
    }
}

// Sixteen bytes to shared memory: from compute capability 8.0 on by a copy that uses no register and goes on beside the arithmetic.
DEVICE void bring(float* to, const float* from) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((u32)__cvta_generic_to_shared(to)), "l"(from) : "memory");
#else
    *(float4*)to = *(const float4*)from;
#endif
}
DEVICE void await_brought() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// The large tiles without edges. As `product`, but `b` goes to shared memory by `bring`, and a thread reads the factors of the next step of k while it multiplies
// those of this one. One barrier in BK steps: behind it nobody reads the buffer that is filled next.
template <int BM, int BN, int BK, int TM, int TN> DEVICE void product_whole(const Matmul& x) {
    constexpr int NT = (BM / TM) * (BN / TN);
    constexpr int LR = 4, LC = 8; // lanes of a warp
    constexpr int WM = LR * TM, WN = LC * TN;
    constexpr int AV = BM * BK / 4 / NT, BV = BK * BN / 4 / NT; // vectors that a thread brings
    constexpr int AR = NT / (BK / 4), BR = NT / (BN / 4); // rows between two of them
    static_assert(TM % 4 == 0 && TN % 4 == 0 && BK % 2 == 0, "whole vectors, and the first step finds its factors at 0");
    static_assert(NT % (BK / 4) == 0 && NT % (BN / 4) == 0 && AV > 0 && BV > 0, "a thread keeps its column");
    __shared__ __align__(16) float As[2][BK][BM + 4];
    __shared__ __align__(16) float Bs[2][BK][BN];

    const int t = threadIdx.x, lane = t % 32, warp = t / 32;
    const int row0 = warp / (BN / WN) * WM + lane / LC * 4, col0 = warp % (BN / WN) * WN + lane % LC * 4;
    const int a_row = t / (BK / 4), a_col = t % (BK / 4) * 4, b_row = t / (BN / 4), b_col = t % (BN / 4) * 4;
    const u64 m0 = (u64)(blockIdx.x / x.columns) * BM, n0 = (u64)(blockIdx.x % x.columns) * BN;
    u64 a_at, b_at;
    batch_offsets(x, blockIdx.y, a_at, b_at);
    // The thread's first vectors; both move on with k.
    const float* a = (const float*)x.a + a_at + (m0 + a_row) * x.a_row + a_col;
    const float* b = (const float*)x.b + b_at + (u64)b_row * x.b_row + n0 + b_col;
    float4 ar[AV];
    float acc[TM][TN] = {}, fa[2][TM], fb[2][TN];

    auto fetch = [&](int buffer) {
        #pragma unroll
        for (int v = 0; v < AV; v++) ar[v] = *(const float4*)(a + (u64)(v * AR) * x.a_row);
        #pragma unroll
        for (int v = 0; v < BV; v++) bring(&Bs[buffer][b_row + v * BR][b_col], b + (u64)(v * BR) * x.b_row);
        a += BK;
        b += (u64)BK * x.b_row;
    };
    auto keep = [&](int buffer) {
        #pragma unroll
        for (int v = 0; v < AV; v++) {
            As[buffer][a_col][a_row + v * AR] = ar[v].x;
            As[buffer][a_col + 1][a_row + v * AR] = ar[v].y;
            As[buffer][a_col + 2][a_row + v * AR] = ar[v].z;
            As[buffer][a_col + 3][a_row + v * AR] = ar[v].w;
        }
        await_brought();
        __syncthreads();
    };
    auto factors = [&](int of, int buffer, int k) {
        #pragma unroll
        for (int q = 0; q < TM / 4; q++) *(float4*)&fa[of][4 * q] = *(const float4*)&As[buffer][k][row0 + q * LR * 4];
        #pragma unroll
        for (int q = 0; q < TN / 4; q++) *(float4*)&fb[of][4 * q] = *(const float4*)&Bs[buffer][k][col0 + q * LC * 4];
    };

    fetch(0);
    keep(0);
    factors(0, 0, 0);
    int buffer = 0;
    for (u32 k0 = 0; k0 < x.k; k0 += BK) {
        bool more = k0 + BK < x.k;
        if (more) fetch(buffer ^ 1);
        #pragma unroll
        for (int k = 0; k < BK; k++) {
            if (k + 1 < BK) {
                factors((k + 1) % 2, buffer, k + 1);
            } else if (more) {
                keep(buffer ^ 1);
                factors(0, buffer ^ 1, 0);
            }
            #pragma unroll
            for (int i = 0; i < TM; i++)
                #pragma unroll
                for (int j = 0; j < TN; j++) acc[i][j] = fmaf(fa[k % 2][i], fb[k % 2][j], acc[i][j]);
        }
        buffer ^= 1;
    }

    float* out = (float*)x.out + (u64)blockIdx.y * x.m * x.n;
    #pragma unroll
    for (int i = 0; i < TM; i++) {
        u64 r = m0 + row0 + i / 4 * (LR * 4) + i % 4;
        #pragma unroll
        for (int q = 0; q < TN / 4; q++) *(float4*)(out + r * x.n + n0 + col0 + q * LC * 4) = *(float4*)&acc[i][4 * q];
    }
}

#define PRODUCT(name, threads, blocks, ...)                                                                       \
    extern "C" __global__ void __launch_bounds__(threads, blocks) matmul_##name(const __grid_constant__ Matmul x) { \
        __VA_ARGS__(x);                                                                                             \
    }
PRODUCT(32, 128, 4, product<32, 32, 32, 2, 4, false>)
PRODUCT(32_edge, 128, 4, product<32, 32, 32, 2, 4, true>)
PRODUCT(64, 128, 3, product_whole<64, 64, 16, 8, 4>)
PRODUCT(64_edge, 128, 3, product<64, 64, 16, 8, 4, true>)
PRODUCT(128, 128, 3, product_whole<64, 128, 16, 8, 8>)
PRODUCT(128_edge, 128, 3, product<64, 128, 8, 8, 8, true>)

DEVICE float multiplied(float x, float y, float sum) { return fmaf(x, y, sum); }
DEVICE double multiplied(double x, double y, double sum) { return fma(x, y, sum); }
DEVICE i64 multiplied(i64 x, i64 y, i64 sum) { return add_wrapping(mul_wrapping(x, y), sum); }

// Any type, any way to lie: tiles of 32 x 32, 16 steps of k, a thread has 2 x 2 results.
template <class T> DEVICE void product_of(const Matmul& x) {
    typedef typename As<T>::C C;
    constexpr int B = 32, BK = 16, NT = 256;
    __shared__ C As_[BK][B + 1], Bs_[BK][B + 1];
    const int t = threadIdx.x, row = t / 16, col = t % 16;
    const u64 m0 = (u64)(blockIdx.x / x.columns) * B, n0 = (u64)(blockIdx.x % x.columns) * B;
    for (u64 batch = blockIdx.y; batch < x.batch; batch += gridDim.y) {
        u64 a_at, b_at;
        batch_offsets(x, batch, a_at, b_at);
        const T* a = (const T*)x.a + a_at;
        const T* b = (const T*)x.b + b_at;
        C acc[2][2] = {};
        for (u32 k0 = 0; k0 < x.k; k0 += BK) {
            __syncthreads();
            #pragma unroll
            for (int v = 0; v < B * BK / NT; v++) {
                int at = t + v * NT, r = x.a_along_m ? at % B : at / BK, c = x.a_along_m ? at / B : at % BK;
                bool inside = m0 + r < x.m && k0 + c < x.k;
                As_[c][r] = inside ? As<T>::get(a[(m0 + r) * x.a_row + (u64)(k0 + c) * x.a_col]) : C(0);
                r = x.b_along_k ? at % BK : at / B;
                c = x.b_along_k ? at / BK : at % B;
                inside = k0 + r < x.k && n0 + c < x.n;
                Bs_[r][c] = inside ? As<T>::get(b[(u64)(k0 + r) * x.b_row + (n0 + c) * x.b_col]) : C(0);
            }
            __syncthreads();
            #pragma unroll
            for (int k = 0; k < BK; k++)
                #pragma unroll
                for (int i = 0; i < 2; i++)
                    #pragma unroll
                    for (int j = 0; j < 2; j++)
                        acc[i][j] = multiplied(As_[k][row + 16 * i], Bs_[k][col + 16 * j], acc[i][j]);
        }
        T* out = (T*)x.out + batch * x.m * x.n;
        #pragma unroll
        for (int i = 0; i < 2; i++)
            #pragma unroll
            for (int j = 0; j < 2; j++) {
                u64 r = m0 + row + 16 * i, c = n0 + col + 16 * j;
                if (r < x.m && c < x.n) out[r * x.n + c] = As<T>::put(acc[i][j]);
            }
    }
}

#define PRODUCT_OF(name, T)                                                                                 \
    extern "C" __global__ void __launch_bounds__(256) matmul_##name(const __grid_constant__ Matmul x) {     \
        product_of<T>(x);                                                                                   \
    }
PRODUCT_OF(f64, double)
PRODUCT_OF(f16, f16)
PRODUCT_OF(bf16, bf16)
PRODUCT_OF(i64, i64)
