// Layers of networks: rows of a table, a bias with what follows it, normalised rows, attention. No result depends on the grid: a warp makes a row.

struct IndexSelect {
    void* out;
    const void* table;
    const i64* indices;
    u64 rows;
    u64 width;
    u64 elements;
};

static_assert(sizeof(IndexSelect) == 48, "as on the host");

#define INDEX_SELECT(bytes, T)                                                                                  \
    extern "C" __global__ void __launch_bounds__(256) index_select_##bytes(const __grid_constant__ IndexSelect x) { \
        EACH(i, x.elements) {                                                                                   \
            u64 row = (u64)x.indices[i / x.width];                                                              \
            ((T*)x.out)[i] = row < x.rows ? ((const T*)x.table)[row * x.width + i % x.width] : (T)0;            \
        }                                                                                                       \
    }
INDEX_SELECT(1, u8)
INDEX_SELECT(2, u16)
INDEX_SELECT(4, u32)
INDEX_SELECT(8, u64)

struct AddBias {
    void* out;
    const void* a;
    const void* bias;
    u64 width;
    u32 op; // NO_OP: nothing follows
    u32 unused;
    Walk<1> walk;
};

static_assert(sizeof(AddBias) == 120, "as on the host");

#define NO_OP 0xffffffffu

#define ADD_BIAS(name, T)                                                                                     \
    extern "C" __global__ void __launch_bounds__(256) add_bias_##name(const __grid_constant__ AddBias x) {    \
        EACH(i, x.walk.elements) {                                                                            \
            u64 at[1];                                                                                        \
            locate(x.walk, i, at);                                                                            \
            As<T>::C sum = As<T>::get(((const T*)x.a)[at[0]]) + As<T>::get(((const T*)x.bias)[i % x.width]);  \
            ((T*)x.out)[i] = As<T>::put(x.op == NO_OP ? sum : unary_of(x.op, sum));                           \
        }                                                                                                     \
    }
ADD_BIAS(f32, float)
ADD_BIAS(f64, double)
ADD_BIAS(f16, f16)
ADD_BIAS(bf16, bf16)

// The sum over a warp, at every lane.
template <class C> DEVICE C warp_sum(C x) {
    #pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(~0u, x, distance);
    return x;
}

DEVICE float root(float x) { return __fsqrt_rn(x); }
DEVICE double root(double x) { return __dsqrt_rn(x); }
DEVICE float quotient(float x, float y) { return __fdiv_rn(x, y); }
DEVICE double quotient(double x, double y) { return __ddiv_rn(x, y); }
DEVICE float fused(float x, float y, float z) { return fmaf(x, y, z); }
DEVICE double fused(double x, double y, double z) { return fma(x, y, z); }
DEVICE float exponential(float x) { return expf(x); }
DEVICE double exponential(double x) { return exp(x); }

struct LayerNorm {
    void* out;
    const void* a;
    const void* residual; // null: none
    const void* weight;
    const void* bias;
    u64 rows;
    u64 width;
    float epsilon;
    u32 unused;
};

static_assert(sizeof(LayerNorm) == 64, "as on the host");

template <class T> DEVICE void layer_norm(const LayerNorm& x) {
    typedef typename As<T>::C C;
    const u32 lane = threadIdx.x % 32;
    const u64 warps = (u64)gridDim.x * (blockDim.x / 32);
    const T* weight = (const T*)x.weight;
    const T* bias = (const T*)x.bias;
    for (u64 row = (u64)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; row < x.rows; row += warps) {
        const T* a = (const T*)x.a + row * x.width;
        const T* residual = x.residual ? (const T*)x.residual + row * x.width : nullptr;
        auto at = [&](u64 j) -> C { return residual ? As<T>::get(a[j]) + As<T>::get(residual[j]) : As<T>::get(a[j]); };
        C sum = 0;
        for (u64 j = lane; j < x.width; j += 32) sum += at(j);
        const C mean = quotient(warp_sum(sum), (C)x.width);
        sum = 0;
        for (u64 j = lane; j < x.width; j += 32) {
            C centred = at(j) - mean;
            sum = fused(centred, centred, sum);
        }
        const C scale = quotient((C)1, root(quotient(warp_sum(sum), (C)x.width) + (C)x.epsilon));
        for (u64 j = lane; j < x.width; j += 32) {
            C value = fused((at(j) - mean) * scale, As<T>::get(weight[j]), As<T>::get(bias[j]));
            ((T*)x.out)[row * x.width + j] = As<T>::put(value);
        }
    }
}

#define LAYER_NORM(name, T) \
    extern "C" __global__ void __launch_bounds__(256) layer_norm_##name(const __grid_constant__ LayerNorm x) { layer_norm<T>(x); }
LAYER_NORM(f32, float)
LAYER_NORM(f64, double)
LAYER_NORM(f16, f16)
LAYER_NORM(bf16, bf16)

struct Attention {
    void* out;
    const void* in[3];
    const u8* mask; // null: every key counts
    const void* bias; // of heads, queries and keys; null: none
    u64 batch;
    u32 tokens;
    u32 heads;
    u32 width;
    float scale;
    u32 strides[3][3]; // of sequences, tokens and heads
    u32 unused;
};

static_assert(sizeof(Attention) == 112, "as on the host");

#define QUERIES 8
#define HEAD_MAX 128

// A block has eight queries of one sequence and head, a warp each, and goes through the keys 32 at a time: lane j has the score of key j, then
// element j, j + 32, .. of the weighted sum. A row keeps its greatest score and scales what it has when a later block of keys has a greater one (Milakov, Gimelshein 2018).
template <class T> DEVICE void attention(const Attention& x) {
    typedef typename As<T>::C C;
    __shared__ C keys[32][HEAD_MAX + 1];
    __shared__ C queries[QUERIES][HEAD_MAX];
    const u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const u64 groups = ((u64)x.tokens + QUERIES - 1) / QUERIES;
    const C lowest = -(C)__int_as_float(0x7f800000);
    for (u64 block = blockIdx.x; block < groups * x.heads * x.batch; block += gridDim.x) {
        const u64 sequence = block / groups / x.heads, head = block / groups % x.heads;
        const u32 query = (u32)(block % groups) * QUERIES + warp;
        const bool here = query < x.tokens;
        const T* base[3];
        #pragma unroll
        for (int n = 0; n < 3; n++)
            base[n] = (const T*)x.in[n] + sequence * x.strides[n][0] + head * x.strides[n][2];
        for (u32 d = lane; d < x.width; d += 32)
            queries[warp][d] = here ? As<T>::get(base[0][(u64)query * x.strides[0][1] + d]) * (C)x.scale : (C)0;
        C sums[HEAD_MAX / 32] = {};
        C most = lowest, total = 0;
        for (u32 from = 0; from < x.tokens; from += 32) {
            const u32 count = min(32u, x.tokens - from);
            __syncthreads(); // the keys before are read, and the queries written
            for (u32 j = warp; j < count; j += QUERIES)
                for (u32 d = lane; d < x.width; d += 32)
                    keys[j][d] = As<T>::get(base[1][(u64)(from + j) * x.strides[1][1] + d]);
            __syncthreads();
            const bool counts = lane < count && (!x.mask || x.mask[sequence * x.tokens + from + lane]);
            C score = lowest;
            if (counts) {
                score = 0;
                for (u32 d = 0; d < x.width; d++) score = fused(queries[warp][d], keys[lane][d], score);
                if (x.bias && here) score += As<T>::get(((const T*)x.bias)[(head * x.tokens + query) * x.tokens + from + lane]);
            }
            C greatest = score;
            #pragma unroll
            for (int distance = 16; distance > 0; distance /= 2) {
                C other = __shfl_xor_sync(~0u, greatest, distance);
                greatest = other > greatest ? other : greatest;
            }
            greatest = greatest > most ? greatest : most;
            const C reference = greatest == lowest ? (C)0 : greatest; // no key yet: exponentials of minus infinity
            const C weight = exponential(score - reference), before = exponential(most - reference);
            total = fused(total, before, warp_sum(weight));
            most = greatest;
            #pragma unroll
            for (int part = 0; part < HEAD_MAX / 32; part++) sums[part] *= before;
            for (u32 j = 0; j < count; j++) {
                const C share = __shfl_sync(~0u, weight, j);
                if (share == (C)0) continue; // whatever the value of a key that does not count: the same for the whole warp
                const T* value = base[2] + (u64)(from + j) * x.strides[2][1];
                #pragma unroll
                for (int part = 0; part < HEAD_MAX / 32; part++) {
                    const u32 d = lane + 32 * part;
                    if (d < x.width) sums[part] = fused(share, As<T>::get(value[d]), sums[part]);
                }
            }
        }
        if (here) {
            T* out = (T*)x.out + ((sequence * x.tokens + query) * x.heads + head) * x.width;
            #pragma unroll
            for (int part = 0; part < HEAD_MAX / 32; part++) {
                const u32 d = lane + 32 * part;
                if (d < x.width) out[d] = As<T>::put(total == 0 ? (C)0 : quotient(sums[part], total));
            }
        }
    }
}

#define ATTENTION(name, T) \
    extern "C" __global__ void __launch_bounds__(256) attention_##name(const __grid_constant__ Attention x) { attention<T>(x); }
ATTENTION(f32, float)
ATTENTION(f64, double)
ATTENTION(f16, f16)
ATTENTION(bf16, bf16)
